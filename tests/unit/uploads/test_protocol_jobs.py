"""UploadProtocol: jobs that a socket follows. Section 5 of docs/protocol.md."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.unit.uploads.peer import EXPIRES, UPLOAD, Message, Peer
from uploads.errors import Conflict, HeadraceError, Internal, NotFound
from uploads.requests import CancelJob, CreateJob, RetryJob, Subscribe, Unsubscribe

JOB = UUID("22222222-2222-4222-8222-222222222222")


@pytest.fixture
def peer() -> Peer:
    return Peer()


def event(seq: int, kind: str = "partial", *, attempt: int = 1, job: UUID = JOB, **fields: Any) -> Message:
    return {"type": "job.event", "job": str(job), "seq": seq, "attempt": attempt, "event": kind, **fields}


def state(seq: int, name: str = "running", job: UUID = JOB) -> Message:
    return {"type": "job.state", "job": str(job), "state": name, "seq": seq}


def follow(peer: Peer, after: int = 0, job: UUID = JOB) -> None:
    peer.say("job.subscribe", job=str(job), after=after)
    peer.protocol.job_state(state(after, job=job))
    peer.take()


def live(peer: Peer, *events: Message) -> list[bool]:
    return [peer.protocol.job_event(message, replay=False) for message in events]


def replay(peer: Peer, *events: Message) -> None:
    assert all(peer.protocol.job_event(message, replay=True) for message in events)


def seqs(peer: Peer) -> list[int]:
    return [message["seq"] for message in peer.take()]


def test_requests_about_jobs_go_to_the_consumer(peer: Peer) -> None:
    job, upload = str(JOB), str(UPLOAD)
    assert peer.say("job.create", upload=upload, processor="p", params={"a": 1}) == [
        CreateJob(UPLOAD, "p", {"a": 1}, None)
    ]
    assert peer.say("job.cancel", job=job, token="t") == [CancelJob(JOB, "t")]
    assert peer.say("job.retry", job=job) == [RetryJob(JOB, None)]
    assert peer.say("job.subscribe", job=job, after=3, token="t") == [Subscribe(JOB, 3, "t")]
    assert peer.say("job.unsubscribe", job=job) == [Unsubscribe(JOB)]
    assert peer.take() == []


def test_the_state_comes_first_then_the_replay_then_what_is_live(peer: Peer) -> None:
    peer.say("job.subscribe", job=str(JOB), after=2)
    assert peer.protocol.subscriptions == {JOB: 2}
    assert live(peer, event(3), event(4)) == [True, True]
    assert peer.take() == [], "before its state nothing of a job is sent"
    peer.protocol.job_state(state(4))
    replay(peer, event(3), event(4))
    assert live(peer, event(4), event(5)) == [True, True]
    assert [(message["type"], message["seq"]) for message in peer.take()] == [
        ("job.state", 4),
        ("job.event", 3),
        ("job.event", 4),
        ("job.event", 5),
    ]
    assert peer.protocol.subscriptions == {JOB: 5}


def test_doubles_are_dropped(peer: Peer) -> None:
    follow(peer)
    assert live(peer, event(1), event(1), event(2), event(1)) == [True] * 4
    replay(peer, event(1), event(2))
    assert seqs(peer) == [1, 2]


def test_after_a_gap_nothing_is_sent_until_the_rows_are_read(peer: Peer) -> None:
    follow(peer)
    assert live(peer, event(1), event(3), event(4)) == [True, False, False]
    assert seqs(peer) == [1]
    replay(peer, event(2), event(3), event(4))
    assert live(peer, event(5)) == [True]
    assert seqs(peer) == [2, 3, 4, 5]


def test_a_replay_may_have_holes_because_the_oldest_go_first(peer: Peer) -> None:
    follow(peer)
    replay(peer, event(1), event(40), event(41))
    assert seqs(peer) == [1, 40, 41]


@pytest.mark.parametrize("kind", ["succeeded", "failed", "cancelled"])
def test_a_terminal_event_is_the_last(peer: Peer, kind: str) -> None:
    follow(peer)
    assert live(peer, event(1, kind)) == [True]
    assert JOB not in peer.protocol.subscriptions
    assert live(peer, event(1, kind), event(9), event(1, "progress")) == [True] * 3
    assert seqs(peer) == [1]


@pytest.mark.parametrize(("after", "followed"), [(6, True), (7, False), (8, False)])
def test_a_job_that_is_over_is_followed_only_while_there_is_a_replay(peer: Peer, after: int, followed: bool) -> None:
    peer.say("job.subscribe", job=str(JOB), after=after)
    peer.protocol.job_state(state(7, "succeeded"))
    assert (JOB in peer.protocol.subscriptions) is followed


def test_only_the_newest_progress_waits_and_it_stays_in_order(peer: Peer) -> None:
    follow(peer)
    live(peer, event(1, "started"), event(1, "progress", done=1), event(1, "progress", done=2), event(2))
    live(peer, event(2, "progress", done=3))
    assert [(message["event"], message.get("done")) for message in peer.take()] == [
        ("started", None),
        ("partial", None),
        ("progress", 3),
    ]
    live(peer, event(2, "progress", done=4))
    assert peer.only()["done"] == 4
    assert peer.protocol.subscriptions == {JOB: 2}


def test_progress_of_an_older_attempt_is_dropped(peer: Peer) -> None:
    follow(peer)
    live(peer, event(1, "started"), event(2, "retrying"), event(3, "started", attempt=2))
    peer.take()
    live(peer, event(2, "progress", attempt=1))
    assert peer.take() == []
    live(peer, event(3, "progress", attempt=2))
    assert peer.only()["attempt"] == 2


def test_progress_after_an_event_that_did_not_come_is_a_gap(peer: Peer) -> None:
    follow(peer)
    assert live(peer, event(1, "progress")) == [False]
    assert peer.take() == []


def test_news_of_a_job_that_is_not_followed_is_dropped(peer: Peer) -> None:
    assert live(peer, event(1)) == [True]
    replay(peer, event(1))
    follow(peer)
    peer.say("job.unsubscribe", job=str(JOB))
    assert live(peer, event(1)) == [True]
    assert peer.take() == []


def test_a_job_asked_for_again_starts_again_where_the_client_says(peer: Peer) -> None:
    follow(peer)
    live(peer, event(1), event(2), event(3))
    peer.take()
    peer.say("job.subscribe", job=str(JOB), after=1)
    live(peer, event(4))
    assert seqs(peer) == [4], "until the state comes all goes on as before"
    peer.protocol.job_state(state(4))
    assert peer.protocol.subscriptions == {JOB: 1}
    replay(peer, event(2), event(3), event(4))
    assert seqs(peer) == [4, 2, 3, 4]


@pytest.mark.parametrize(("error", "stays"), [(NotFound(), False), (Internal(), False), (Conflict(), True)])
def test_a_refused_subscription_is_forgotten(peer: Peer, error: HeadraceError, stays: bool) -> None:
    peer.say("job.subscribe", job=str(JOB))
    peer.protocol.failed(None, error, job=JOB)
    message = peer.only()
    assert (message["code"], message["job"], message["ended"]) == (error.code, str(JOB), False)
    assert "ref" not in message
    assert (JOB in peer.protocol.subscriptions) is stays, "a conflict is that of another request"


def test_a_refusal_does_not_end_what_is_followed_already(peer: Peer) -> None:
    follow(peer)
    peer.protocol.failed(None, NotFound(), job=str(JOB))
    assert JOB in peer.protocol.subscriptions


def test_only_so_many_jobs_can_be_asked_for(peer: Peer) -> None:
    jobs = [uuid4() for _ in range(4)]
    for job in jobs[:3]:
        follow(peer, job=job)
    assert peer.say("job.subscribe", job=str(jobs[3])) == []
    message = peer.only()
    assert {"code": "rate_limited", "job": str(jobs[3]), "limit": 3, "ended": False}.items() <= message.items()
    assert peer.say("job.subscribe", job=str(jobs[0]), after=1), "it is followed already"
    live(peer, event(1, "succeeded", job=jobs[1]))
    assert peer.say("job.subscribe", job=str(jobs[3]))


def test_the_socket_of_an_upload_follows_its_job_from_the_start(peer: Peer) -> None:
    peer.open(0, size=0)
    peer.say("upload.finish", ref=0)
    peer.protocol.stored(0, UPLOAD, 0, "ab" * 32, JOB)
    assert peer.protocol.subscriptions == {JOB: 0}
    live(peer, event(1, "queued"))
    assert [message["type"] for message in peer.take()] == ["upload.stored", "job.event"]


def test_a_streaming_job_is_followed_from_open_and_not_anew_when_stored(peer: Peer) -> None:
    peer.say("upload.open", ref=0, name="a", size=0)
    peer.protocol.opened(0, UPLOAD, None, 0, 0, EXPIRES, JOB)
    live(peer, event(1, "queued"))
    peer.say("upload.finish", ref=0)
    peer.protocol.stored(0, UPLOAD, 0, "ab" * 32, str(JOB))
    assert peer.protocol.subscriptions == {JOB: 1}


def test_an_upload_without_a_job_follows_none(peer: Peer) -> None:
    peer.open(0, size=0)
    peer.protocol.stored(0, UPLOAD, 0, "ab" * 32, None)
    assert peer.protocol.subscriptions == {}


def test_the_state_of_a_job_that_was_not_asked_for_is_sent_too(peer: Peer) -> None:
    peer.protocol.job_state(state(1, "queued"))
    assert peer.only() == state(1, "queued")
    assert peer.protocol.subscriptions == {}
