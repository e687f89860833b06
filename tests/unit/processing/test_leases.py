"""Claims, leases and fences. `TEST_DATABASE_URL` runs the same on Postgres (tests/integration/test_on_postgres.py)."""

import threading
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from processing import events, leases, services
from processing.errors import LostLease
from processing.leases import NewArtifact, Outcome
from processing.lifecycle import JobState
from processing.models import Artifact, Job
from tests.unit.processing.making import claim_one, events_of, expire, make_job, make_worker, row

pytestmark = pytest.mark.django_db(transaction=True)

DONE = Outcome(JobState.SUCCEEDED, {"total": 6})


def artifact(number: int = 0, **fields: Any) -> NewArtifact:
    return NewArtifact(f"{number}.csv", "text/csv", 3, "a" * 64, f"x/{number}", **fields)


def test_a_claim_makes_the_job_ours() -> None:
    job, worker = make_job(), make_worker()
    before = timezone.now()
    (claimed,), news = leases.claim(worker, ["default"], 5)
    now = row(job)
    assert claimed.pk == job.pk
    assert (now.state, now.attempt, now.charged, now.worker_id) == ("running", 1, 1, worker)
    assert (claimed.state, claimed.attempt, claimed.charged, claimed.seq) == ("running", 1, 1, 2)
    assert now.lease_until is not None
    assert timedelta(seconds=25) < now.lease_until - before < timedelta(seconds=40)
    assert [message["event"] for _, _, message in news] == ["started"]
    assert events_of(job) == ["queued", "started"]
    assert leases.claim(worker, ["default"], 5) == ([], [])


def test_a_claim_takes_the_best_first_and_no_more_than_asked() -> None:
    low, first, second = make_job(), make_job(), make_job()
    Job.objects.filter(pk=low.pk).update(priority=-1)
    high = make_job()
    Job.objects.filter(pk=high.pk).update(priority=5)
    worker = make_worker()
    assert [job.pk for job in leases.claim(worker, ["default"], 2)[0]] == [high.pk, first.pk]
    assert [job.pk for job in leases.claim(worker, ["default"], 9)[0]] == [second.pk, low.pk]
    make_job()
    assert leases.claim(worker, ["default"], 0) == ([], [])


def test_a_claim_passes_over_other_queues_later_jobs_and_cancelled_ones() -> None:
    other, later, stamped = make_job(), make_job(), make_job()
    Job.objects.filter(pk=other.pk).update(queue="other")
    Job.objects.filter(pk=later.pk).update(available_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=stamped.pk).update(cancel_requested_at=timezone.now())
    assert leases.claim(make_worker(), ["default"], 5) == ([], [])
    assert len(leases.claim(make_worker(), ["default", "other"], 5)[0]) == 1


def test_four_threads_claim_200_jobs_and_each_goes_to_one() -> None:
    for _ in range(200):
        make_job()
    claimed: list[uuid.UUID] = []
    problems: list[BaseException] = []

    def work(limit: int) -> None:
        worker = make_worker()
        try:
            empty = 0
            while empty < 3:
                jobs, _ = leases.claim(worker, ["default"], limit)
                claimed.extend(job.pk for job in jobs)
                empty = 0 if jobs else empty + 1
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(limit,)) for limit in (1, 1, 2, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(claimed) == 200
    assert set(Counter(claimed).values()) == {1}
    assert set(Job.objects.values_list("state", "attempt", "seq")) == {("running", 1, 2)}


def test_a_heartbeat_renews_saves_progress_and_learns() -> None:
    ours, cancelled, lost = make_job(), make_job(), make_job()
    jobs, _ = leases.claim(make_worker(), ["default"], 3)
    old = row(ours).lease_until
    services.request_cancel(row(cancelled))
    expire(lost)
    leases.requeue_lost()
    pulse = leases.heartbeat({job.pk: job.attempt for job in jobs}, {ours.pk: {"done": 3}, lost.pk: {"done": 9}})
    assert pulse.lost == {lost.pk}
    assert pulse.cancel == {cancelled.pk}
    assert old is not None
    assert (row(ours).lease_until or old) > old
    assert row(ours).progress == {"done": 3}
    assert row(lost).progress is None
    assert row(lost).lease_until is None
    assert leases.heartbeat({}, {}) == leases.Pulse()


def test_a_heartbeat_of_an_older_attempt_renews_nothing() -> None:
    job = make_job()
    first = claim_one()
    expire(job)
    leases.requeue_lost()
    second = claim_one()
    expire(job)
    pulse = leases.heartbeat({job.pk: first.attempt}, {job.pk: {"done": 1}})
    assert pulse.lost == {job.pk}
    assert row(job).progress is None
    assert (row(job).lease_until or timezone.now()) < timezone.now(), "its lease is still over"
    assert leases.heartbeat({job.pk: second.attempt}, {}).lost == set()


def test_a_finish_writes_the_end_once() -> None:
    job = make_job()
    claimed = claim_one()
    news = leases.finish(claimed, Outcome(JobState.SUCCEEDED, {"total": 6}, [artifact()], progress={"done": 18}))
    now = row(job)
    assert (now.state, now.result, now.progress, now.lease_until) == ("succeeded", {"total": 6}, {"done": 18}, None)
    assert now.finished_at is not None
    (message,) = [message for _, _, message in news]
    (there,) = Artifact.objects.all()
    assert message["seq"] == now.seq == 3
    assert message["artifacts"] == [events.artifact_message(there)]
    with pytest.raises(LostLease):
        leases.finish(claim_again(claimed), Outcome(JobState.FAILED, error_code="x"))
    assert row(job).state == "succeeded"
    assert events_of(job) == ["queued", "started", "succeeded"]


def claim_again(job: Job) -> Job:
    """The same attempt in other hands, as a parent that slept holds it."""
    return Job.objects.get(pk=job.pk)


def test_a_late_finish_changes_nothing() -> None:
    job = make_job()
    late = claim_one()
    expire(job)
    leases.requeue_lost()
    winner = claim_one()
    before = row(job)
    with pytest.raises(LostLease):
        leases.finish(late, Outcome(JobState.SUCCEEDED, "late", [artifact()]))
    with pytest.raises(LostLease):
        leases.record(late, [("log", {"level": "info", "message": "late"})])
    with pytest.raises(LostLease):
        leases.release(late, leases.WORKER_STOPPED)
    now = row(job)
    assert (now.state, now.result, now.seq, now.attempt) == (before.state, None, before.seq, 2)
    assert not Artifact.objects.exists()
    leases.finish(winner, DONE)
    assert row(job).result == {"total": 6}
    assert events_of(job) == ["queued", "started", "retrying", "started", "succeeded"]


def test_a_large_result_is_an_artifact_with_an_address_of_its_own() -> None:
    job = make_job()
    news = leases.finish(claim_one(), Outcome(JobState.SUCCEEDED, None, [artifact(0), artifact(1, is_result=True)]))
    now = row(job)
    assert now.result_artifact is not None
    assert now.result_artifact.name == "1.csv"
    message = news[-1][2]
    assert [one["name"] for one in message["artifacts"]] == ["0.csv"]
    assert message["result_url"] == f"/api/v1/jobs/{job.pk}/result"
    assert events.state(now)["result_url"] == message["result_url"]


def test_a_finish_takes_the_events_before_it_along() -> None:
    job = make_job()
    before: list[events.EventData] = [("partial", {"data": 1}), ("log", {"level": "info", "message": "x"})]
    news = leases.finish(claim_one(), DONE, before)
    assert [message["seq"] for _, _, message in news] == [3, 4, 5]
    assert events_of(job) == ["queued", "started", "partial", "log", "succeeded"]


def lose_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit goes through, and its answer is lost."""
    whole = transaction.Atomic.__exit__
    state = {"lost": False}

    def exits(self: Any, kind: Any, value: Any, trace: Any) -> None:
        whole(self, kind, value, trace)
        if kind is None and not connection.in_atomic_block and not state["lost"]:
            state["lost"] = True
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(transaction.Atomic, "__exit__", exits)


def test_a_finish_whose_answer_was_lost_may_be_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    claimed = claim_one()
    outcome = Outcome(JobState.SUCCEEDED, 1, [artifact()])
    lose_the_answer(monkeypatch)
    with pytest.raises(OperationalError):
        leases.finish(claimed, outcome)
    news = leases.finish(claimed, outcome)
    assert [message["event"] for _, _, message in news] == ["succeeded"]
    assert Artifact.objects.count() == 1
    assert events_of(job) == ["queued", "started", "succeeded"]


def test_events_whose_answer_was_lost_are_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    claimed = claim_one()
    lose_the_answer(monkeypatch)
    happened = [("partial", {"data": 1}), ("partial", {"data": 2})]
    with pytest.raises(OperationalError):
        leases.record(claimed, happened)
    assert [message["seq"] for _, _, message in leases.record(claimed, happened)] == [3, 4]
    leases.record(claimed, [("partial", {"data": 3})])
    assert events_of(job) == ["queued", "started", "partial", "partial", "partial"]
