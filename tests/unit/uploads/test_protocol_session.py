"""UploadProtocol: greeting, authentication, pings, silence, idleness, goodbyes, and that a close is final."""

import math

import pytest

from tests.unit.uploads.peer import EXPIRES, LIMITS, UPLOAD, Peer
from uploads.errors import Conflict, Forbidden, NotFound, Unauthorized
from uploads.flow import Limits
from uploads.protocol import UNREAD_TEXTS
from uploads.requests import Authenticate, Close, DeleteUpload

HEARTBEAT = 20.0


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    peer.protocol.welcome("ada", [{"name": "inspect"}], HEARTBEAT)
    peer.protocol.tick(peer.now)
    peer.take()
    return peer


def test_the_greeting_tells_all_that_a_client_must_know() -> None:
    peer = Peer()
    peer.protocol.welcome("ada", ({"name": "inspect"},), HEARTBEAT, ("zip",))
    assert peer.only() == {
        "type": "welcome",
        "version": 1,
        "user": "ada",
        "extensions": ["zip"],
        "limits": {
            "chunk_bytes": 100,
            "window_bytes": 1000,
            "upload_bytes": 5000,
            "open_uploads": 4,
            "subscriptions": 3,
            "name_bytes": 64,
            "key_bytes": 16,
        },
        "processors": [{"name": "inspect"}],
        "heartbeat_seconds": 20.0,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_bytes": 0},
        {"chunk_bytes": (1 << 20) - 15, "window_bytes": 1 << 23},
        {"window_bytes": 199},
        {"open_uploads": 0},
    ],
)
def test_limits_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    values = {name: getattr(LIMITS, name) for name in Limits.__dataclass_fields__}
    with pytest.raises(ValueError, match="must"):
        Limits(**values | wrong)


def test_a_token_is_the_consumers_to_check_and_the_greeting_may_come_again(peer: Peer) -> None:
    assert peer.say("auth", token="t") == [Authenticate("t")]
    peer.protocol.welcome("bob", [], HEARTBEAT)
    assert peer.only()["user"] == "bob"


@pytest.mark.parametrize(("error", "code"), [(Unauthorized(), 4401), (Forbidden(), 4403)])
def test_a_session_error_is_told_and_then_closes(peer: Peer, error: Unauthorized | Forbidden, code: int) -> None:
    peer.protocol.failed(None, error)
    assert peer.only() == {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "retryable": False,
        "ended": False,
    }
    assert peer.protocol.close == Close(code, error.code)


def test_an_error_about_a_ref_never_closes(peer: Peer) -> None:
    peer.open()
    peer.protocol.failed(0, Forbidden())
    assert peer.only()["ended"] is True
    assert peer.closed is None


def test_a_ping_is_answered_with_its_own_id(peer: Peer) -> None:
    for ping_id in (7, "seven", None):
        assert peer.say("ping", id=ping_id) == []
        assert peer.only() == {"type": "pong", "id": ping_id}


@pytest.mark.parametrize("ping_id", [1.5, True, [], -1, "x" * 65])
def test_an_unwieldy_ping_is_a_bad_message(peer: Peer, ping_id: object) -> None:
    peer.say("ping", id=ping_id)
    assert peer.codes() == ["bad_message"]


def test_the_server_pings_every_heartbeat_and_times_the_answer(peer: Peer) -> None:
    start = peer.now
    assert peer.protocol.deadline == start + HEARTBEAT
    for number in (1, 2, 3):
        peer.now = start + number * HEARTBEAT
        peer.protocol.tick(peer.now - 0.001)
        assert peer.take() == []
        peer.protocol.tick(peer.now)
        assert peer.only() == {"type": "ping", "id": number}
        peer.now += 0.25
        peer.say("pong", id=number)
        assert peer.protocol.round_trip_seconds == 0.25
        peer.now += 1
        peer.say("pong", id=number)
        peer.say("pong", id=99)
        assert peer.protocol.round_trip_seconds == 0.25
    assert peer.closed is None


def test_a_peer_that_is_silent_for_two_heartbeats_is_gone(peer: Peer) -> None:
    last = peer.now = peer.now + 5
    peer.say("ping")
    peer.protocol.tick(last + 2 * HEARTBEAT - 0.001)
    assert peer.closed is None
    peer.protocol.tick(last + 2 * HEARTBEAT)
    assert peer.protocol.close == Close(4408, "no answer")
    assert peer.protocol.deadline is None


@pytest.mark.parametrize("how", ["text", "junk", "data"])
def test_whatever_comes_is_a_sign_of_life(peer: Peer, how: str) -> None:
    peer.open(size=1000)
    for step in range(10):
        peer.now += HEARTBEAT
        if how == "data":
            peer.send(0, step, 1)
            peer.commit(0, step + 1)
        else:
            peer.text('{"type":"ping"}' if how == "text" else "junk")
        peer.protocol.tick(peer.now)
        peer.take()
    assert peer.closed is None


def test_silence_does_not_count_while_the_server_reads_nothing(peer: Peer) -> None:
    peer.protocol.pause_reading(peer.now)
    for _ in range(10):
        peer.now += HEARTBEAT
        peer.protocol.tick(peer.now)
    peer.protocol.resume_reading(peer.now)
    peer.protocol.tick(peer.now + HEARTBEAT)
    assert peer.closed is None
    peer.protocol.tick(peer.now + 2 * HEARTBEAT)
    assert peer.closed == 4408


def test_silence_does_not_count_while_the_client_waits_for_the_server(peer: Peer) -> None:
    peer.open(size=300)
    peer.send(0, 0, 100)
    start = peer.now
    for _ in range(5):
        peer.now += 10
        peer.protocol.tick(peer.now)
    peer.commit(0, 100)
    peer.protocol.tick(peer.now + 2 * HEARTBEAT - 1)
    assert peer.closed is None
    peer.protocol.tick(peer.now + 2 * HEARTBEAT)
    assert peer.closed == 4408
    assert peer.now - start == 50


def test_a_socket_on_which_nothing_happens_is_closed() -> None:
    peer = Peer(idle_seconds=100)
    peer.protocol.welcome(None, [], HEARTBEAT)
    peer.protocol.tick(peer.now)
    start = peer.now
    while peer.now < start + 90:
        peer.now += 10
        peer.say("pong")
        peer.say("ping")
        peer.protocol.tick(peer.now)
    assert peer.closed is None
    assert peer.protocol.deadline == start + 100
    peer.protocol.tick(start + 100)
    assert peer.protocol.close == Close(4408, "idle")


@pytest.mark.parametrize("what", ["upload", "job", "messages"])
def test_a_socket_with_an_upload_a_job_or_something_to_say_is_not_idle(what: str) -> None:
    peer = Peer(idle_seconds=100)
    peer.protocol.welcome(None, [], HEARTBEAT)
    if what == "upload":
        peer.open()
    if what == "job":
        peer.say("job.subscribe", job=str(UPLOAD))
    for _ in range(30):
        peer.now += 10
        peer.say("ping")
        if what == "messages":
            peer.say("upload.delete", upload=str(UPLOAD))
        peer.protocol.tick(peer.now)
        peer.take()
    assert peer.closed is None


def test_without_an_idle_limit_pings_alone_keep_a_socket(peer: Peer) -> None:
    for _ in range(10_000):
        peer.now += HEARTBEAT
        peer.say("pong")
        peer.protocol.tick(peer.now)
        peer.take()
    assert peer.closed is None


def test_the_deadline_before_any_time_is_known_is_at_once() -> None:
    peer = Peer()
    assert peer.protocol.deadline == -math.inf
    peer.protocol.tick(peer.now)
    assert peer.protocol.deadline is None
    peer.protocol.welcome(None, [], HEARTBEAT)
    assert peer.protocol.deadline == peer.now + HEARTBEAT


def test_bye_closes_with_1012(peer: Peer) -> None:
    peer.protocol.bye("restart", 1.5)
    assert peer.only() == {"type": "bye", "reason": "restart", "retry_after_seconds": 1.5}
    assert peer.closed == 1012
    other = Peer()
    other.protocol.bye("drain")
    assert other.only() == {"type": "bye", "reason": "drain"}


def test_a_bad_message_is_answered_and_the_socket_lives(peer: Peer) -> None:
    for text in ("{", "[]", '{"type":"nope"}', '{"type":"upload.open","ref":-1}', "[" * 9_000, "x" * 20_000):
        assert peer.text(text) == []
        message = peer.only()
        assert (message["code"], message["ended"], message["retryable"]) == ("bad_message", False, False)
    assert peer.say("ping") == []
    assert peer.codes() == ["pong"]


def test_a_bad_message_names_the_ref_that_it_is_about(peer: Peer) -> None:
    peer.say("upload.open", ref=5, name="a", size="big")
    assert {"ref": 5, "field": "size"}.items() <= peer.only().items()
    peer.say("upload.open", ref="five", name="a", size=1)
    assert "ref" not in peer.only()


def test_a_client_that_asks_without_reading_is_cut_off(peer: Peer) -> None:
    for _ in range(UNREAD_TEXTS):
        peer.text("junk")
    assert peer.closed is None
    assert len(peer.take()) == UNREAD_TEXTS
    for _ in range(UNREAD_TEXTS + 1):
        peer.text('{"type":"ping"}')
    assert peer.closed == 4429


def test_deleting_is_the_consumers(peer: Peer) -> None:
    assert peer.say("upload.delete", upload=str(UPLOAD), token="t") == [DeleteUpload(UPLOAD, "t")]
    peer.protocol.deleted(UPLOAD)
    assert peer.only() == {"type": "upload.deleted", "upload": str(UPLOAD)}
    peer.protocol.failed(None, NotFound(upload=str(UPLOAD)))
    assert {"code": "not_found", "upload": str(UPLOAD)}.items() <= peer.only().items()
    assert peer.closed is None


def test_a_close_is_final(peer: Peer) -> None:
    peer.open()
    peer.say("upload.open", ref=1, name="b", size=1)
    peer.raw(bytes(4))
    close = peer.protocol.close
    assert close == Close(4400, "frame without a payload")
    assert peer.say("ping") == []
    assert peer.send(0, 0, 10) == []
    assert peer.protocol.tick(peer.now + 1e6) == []
    peer.protocol.bye("restart")
    peer.protocol.failed(None, Unauthorized())
    peer.protocol.failed(0, Conflict())
    peer.protocol.opened(1, UPLOAD, None, 0, 1, EXPIRES)
    assert peer.take() == []
    assert peer.protocol.close is close


def test_what_was_said_before_a_close_is_still_sent(peer: Peer) -> None:
    peer.open(0)
    peer.say("ping", id=1)
    peer.raw(bytes(4))
    assert peer.take() == [{"type": "pong", "id": 1}]
