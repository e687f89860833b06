"""UploadProtocol: open, resume, finish, abort, and what ends a ref. Section 2 of docs/protocol.md."""

from uuid import uuid4

import pytest

from tests.unit.uploads.peer import EXPIRES, UPLOAD, Peer
from uploads.errors import (
    BadOffset,
    Busy,
    Conflict,
    DigestMismatch,
    HeadraceError,
    Internal,
    RateLimited,
    SizeMismatch,
    StorageFull,
    TakenOver,
)
from uploads.jsontext import MAX_REF
from uploads.refs import MAX_GAPS
from uploads.requests import Abort, Ended, Finish, Open, Resume


@pytest.fixture
def peer() -> Peer:
    return Peer()


def open_message(ref: int, **fields: object) -> dict[str, object]:
    return {"ref": ref, "name": "a", "size": 10} | fields


# -- open and resume


def test_an_open_goes_to_the_consumer_and_its_answer_to_the_client(peer: Peer) -> None:
    [request] = peer.say("upload.open", **open_message(3, params={"top": 3}, key="k", processor="word-count"))
    assert isinstance(request, Open)
    assert request.ref == 3
    assert (request.message.name, request.message.params, request.message.key) == ("a", {"top": 3}, "k")
    assert peer.protocol.open_refs == {3}
    assert peer.take() == []
    job = uuid4()
    assert peer.protocol.opened(3, UPLOAD, "secret", 0, 10, EXPIRES, job) == []
    assert peer.only() == {
        "type": "upload.opened",
        "ref": 3,
        "upload": str(UPLOAD),
        "token": "secret",
        "offset": 0,
        "window": 1000,
        "checksum": None,
        "expires_at": "2026-01-31T12:00:00Z",
        "job": str(job),
    }


def test_a_resume_goes_on_where_the_stored_bytes_end(peer: Peer) -> None:
    [request] = peer.say("upload.resume", ref=0, upload=str(UPLOAD), token="t", checksum="crc32")
    assert request == Resume(0, UPLOAD, "t", "crc32")
    peer.protocol.opened(0, UPLOAD, None, 120, 300, EXPIRES)
    message = peer.only()
    assert (message["offset"], message["checksum"], message["token"]) == (120, "crc32", None)
    assert len(peer.send(0, 120, 100, crc=True)) == 1


def test_refs_grow_and_are_never_used_twice(peer: Peer) -> None:
    peer.open(5)
    for kind, fields in (("upload.open", open_message(5)), ("upload.resume", {"ref": 4, "upload": str(UPLOAD)})):
        assert peer.say(kind, **fields) == []
        message = peer.only()
        assert (message["code"], message["ref"], message["field"]) == ("bad_message", fields["ref"], "ref")
    peer.protocol.detached(5, "busy")
    peer.take()
    assert peer.say("upload.open", **open_message(5)) == []
    assert peer.codes() == ["bad_message"]
    assert peer.say("upload.open", **open_message(MAX_REF))
    assert peer.protocol.open_refs == {MAX_REF}


def test_a_refused_open_has_no_effect_and_its_ref_is_still_free(peer: Peer) -> None:
    peer.say("upload.open", **open_message(0, size="x"))
    peer.say("upload.open", **open_message(0, name="n" * 65))
    assert [message["ended"] for message in peer.take()] == [False, False]
    assert peer.protocol.open_refs == frozenset()
    assert peer.say("upload.open", **open_message(0))


@pytest.mark.parametrize(("field", "most"), [("name", 64), ("key", 16)])
def test_names_and_keys_are_limited_in_bytes(peer: Peer, field: str, most: int) -> None:
    assert peer.say("upload.open", **open_message(0, **{field: "é" * (most // 2)}))
    peer.protocol.opened(0, UPLOAD, None, 0, 10, EXPIRES)
    peer.take()
    assert peer.say("upload.open", **open_message(1, **{field: "é" * (most // 2) + "a"})) == []
    message = peer.only()
    assert (message["code"], message["field"], message["ref"]) == ("bad_message", field, 1)
    assert str(most) in message["message"]


def test_a_file_declared_larger_than_any_may_be_ends_at_once(peer: Peer) -> None:
    assert peer.say("upload.open", **open_message(0, size=5000))
    assert peer.say("upload.open", **open_message(1, size=5001)) == []
    message = peer.only()
    assert (message["code"], message["ended"], message["limit"], message["ref"]) == ("too_large", True, 5000, 1)
    assert peer.send(1, 0, 10) == []
    assert peer.closed is None, "the ref was used, so data for it is only dropped"


def test_only_so_many_uploads_may_be_open_at_once(peer: Peer) -> None:
    for ref in range(4):
        peer.open(ref)
    for kind, fields in (("upload.open", open_message(4)), ("upload.resume", {"ref": 4, "upload": str(UPLOAD)})):
        assert peer.say(kind, **fields) == []
        message = peer.only()
        assert {
            "code": "rate_limited",
            "ref": 4,
            "ended": False,
            "retryable": True,
            "limit": 4,
        }.items() <= message.items()
    peer.protocol.detached(0, "busy")
    assert peer.say("upload.open", **open_message(4))


@pytest.mark.parametrize("error", [Conflict(), Internal(), RateLimited(), StorageFull(retry_after_seconds=30), Busy()])
def test_an_open_that_fails_ends_the_ref_whatever_the_error(peer: Peer, error: HeadraceError) -> None:
    peer.say("upload.open", **open_message(0))
    peer.protocol.failed(0, error)
    message = peer.only()
    assert (message["type"], message["code"], message["ref"], message["ended"]) == ("error", error.code, 0, True)
    assert peer.protocol.open_refs == frozenset()
    assert peer.send(0, 0, 5) == []
    assert peer.closed is None


def test_an_answer_to_what_is_not_opening_does_nothing(peer: Peer) -> None:
    peer.protocol.opened(0, UPLOAD, None, 0, 10, EXPIRES)
    peer.open(1)
    peer.protocol.opened(1, UPLOAD, None, 0, 10, EXPIRES)
    assert peer.take() == []


@pytest.mark.parametrize(("offset", "size", "sealed"), [(-1, 5, False), (6, 5, False), (4, 5, True)])
def test_a_consumer_that_contradicts_itself_is_told(peer: Peer, offset: int, size: int, sealed: bool) -> None:
    peer.say("upload.open", **open_message(0))
    with pytest.raises(ValueError, match="offset"):
        peer.protocol.opened(0, UPLOAD, None, offset, size, EXPIRES, sealed=sealed)


def test_an_upload_opened_again_on_this_socket_leaves_its_older_ref(peer: Peer) -> None:
    peer.open(0, upload=UPLOAD)
    peer.open(1)
    peer.send(0, 0, 50)
    peer.say("upload.resume", ref=2, upload=str(UPLOAD))
    assert peer.protocol.opened(2, UPLOAD, None, 50, 300, EXPIRES) == [Ended(0, "taken_over")]
    detached, opened = peer.take()
    assert detached == {"type": "upload.detached", "ref": 0, "reason": "taken_over"}
    assert opened["ref"] == 2
    assert peer.protocol.open_refs == {1, 2}
    assert peer.send(0, 50, 10) == []
    assert peer.closed is None


def test_there_is_no_takeover_once_sealing_has_begun(peer: Peer) -> None:
    peer.open(0, size=0, upload=UPLOAD)
    peer.say("upload.finish", ref=0)
    peer.say("upload.open", **open_message(1, size=0))
    assert peer.protocol.opened(1, UPLOAD, None, 0, 0, EXPIRES, sealed=True) == []
    assert peer.protocol.open_refs == {0, 1}


def test_an_upload_that_is_sealed_already_expects_nothing_more(peer: Peer) -> None:
    opened = peer.open(0, size=300, offset=300, sealed=True)
    assert (opened["offset"], opened["window"]) == (300, 0)
    assert peer.say("upload.finish", ref=0) == []
    assert peer.send(0, 0, 100) == []
    assert peer.take() == []
    peer.protocol.stored(0, UPLOAD, 300, "ab" * 32, None)
    assert peer.only()["type"] == "upload.stored"


# -- finish


@pytest.mark.parametrize("fields", [{}, {"size": 250}, {"size": 250, "sha256": "AB" * 32}])
def test_a_finish_goes_to_the_consumer_once_all_is_received(peer: Peer, fields: dict[str, object]) -> None:
    peer.open(0, size=250)
    for offset in (0, 100, 200):
        peer.send(0, offset, min(100, 250 - offset))
    sha256 = "ab" * 32 if "sha256" in fields else None
    assert peer.say("upload.finish", ref=0, **fields) == [Finish(0, 250, sha256)], "no ack was waited for"
    peer.commit(0, 250)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 250, "window": 1000}
    job = uuid4()
    peer.protocol.stored(0, UPLOAD, 250, "cd" * 32, job)
    assert peer.only() == {
        "type": "upload.stored",
        "ref": 0,
        "upload": str(UPLOAD),
        "size": 250,
        "sha256": "cd" * 32,
        "job": str(job),
    }
    assert peer.protocol.open_refs == frozenset()


def test_an_empty_file_needs_no_frame(peer: Peer) -> None:
    peer.open(0, size=0)
    assert peer.say("upload.finish", ref=0) == [Finish(0, 0, None)]


def test_a_finish_with_bytes_missing_says_where_to_go_on(peer: Peer) -> None:
    peer.open(0, size=150)
    peer.send(0, 0, 100)
    assert peer.say("upload.finish", ref=0) == []
    message = peer.only()
    assert {"code": "size_mismatch", "ref": 0, "expected": 100, "size": 150, "ended": False}.items() <= message.items()
    assert peer.send(0, 100, 50)
    assert peer.say("upload.finish", ref=0) == [Finish(0, 150, None)]


@pytest.mark.parametrize("size", [99, 101])
def test_a_finish_that_contradicts_the_open_is_a_size_mismatch(peer: Peer, size: int) -> None:
    peer.open(0, size=100)
    peer.send(0, 0, 100)
    assert peer.say("upload.finish", ref=0, size=size) == []
    assert {"code": "size_mismatch", "expected": 100, "size": 100}.items() <= peer.only().items()
    assert peer.say("upload.finish", ref=0, size=100)


def test_a_size_that_was_not_known_at_open_is_needed_at_finish(peer: Peer) -> None:
    peer.open(0, size=None)
    peer.send(0, 0, 100)
    assert peer.say("upload.finish", ref=0) == []
    assert {"code": "bad_message", "field": "size", "ref": 0}.items() <= peer.only().items()
    for size in (99, 101):
        assert peer.say("upload.finish", ref=0, size=size) == []
        assert {"code": "size_mismatch", "expected": 100, "size": None}.items() <= peer.only().items()
    assert peer.say("upload.finish", ref=0, size=100) == [Finish(0, 100, None)]


def test_a_second_finish_is_ignored(peer: Peer) -> None:
    peer.open(0, size=0)
    assert peer.say("upload.finish", ref=0)
    assert peer.say("upload.finish", ref=0, size=7) == []
    assert peer.take() == []


def test_the_consumer_can_send_a_finish_back(peer: Peer) -> None:
    peer.open(0, size=200)
    peer.send(0, 0, 100)
    peer.send(0, 100, 100)
    peer.say("upload.finish", ref=0)
    peer.commit(0, 100)
    peer.take()
    peer.protocol.failed(0, SizeMismatch(expected=100))
    assert {"code": "size_mismatch", "expected": 100, "ended": False}.items() <= peer.only().items()
    assert peer.say("upload.finish", ref=0) == []
    assert peer.codes() == ["size_mismatch"]
    assert peer.send(0, 100, 100)
    assert peer.say("upload.finish", ref=0) == [Finish(0, 200, None)]


def test_a_failed_seal_ends_the_ref(peer: Peer) -> None:
    peer.open(0, size=0)
    peer.say("upload.finish", ref=0)
    peer.protocol.failed(0, DigestMismatch(expected="a", found="b"))
    assert {"code": "digest_mismatch", "ended": True, "found": "b"}.items() <= peer.only().items()
    peer.protocol.stored(0, UPLOAD, 0, "", None)
    assert peer.take() == []


# -- abort


def test_an_abort_goes_to_the_consumer_once(peer: Peer) -> None:
    peer.open(0)
    peer.send(0, 0, 100)
    assert peer.say("upload.abort", ref=0) == [Abort(0)]
    assert peer.say("upload.abort", ref=0) == []
    assert peer.say("upload.finish", ref=0) == []
    assert peer.send(0, 100, 100) == [], "what is on its way is dropped"
    peer.commit(0, 100)
    assert peer.take() == []
    peer.protocol.aborted(0)
    assert peer.only() == {"type": "upload.aborted", "ref": 0}
    peer.protocol.aborted(0)
    assert peer.take() == []


def test_an_ack_that_waits_is_not_sent_after_an_abort(peer: Peer) -> None:
    peer.open(0)
    peer.send(0, 0, 10)
    peer.commit(0, 10)
    peer.say("upload.abort", ref=0)
    peer.protocol.tick(peer.now + 1)
    assert peer.take() == []


def test_it_is_too_late_to_abort_what_is_being_sealed(peer: Peer) -> None:
    peer.open(0, size=0)
    peer.say("upload.finish", ref=0)
    assert peer.say("upload.abort", ref=0) == []
    message = peer.only()
    assert (message["code"], message["ref"], message["ended"]) == ("bad_message", 0, False)
    peer.protocol.stored(0, UPLOAD, 0, "ab" * 32, None)
    assert peer.codes() == ["upload.stored"]


# -- messages that come at a wrong time


@pytest.mark.parametrize("kind", ["upload.finish", "upload.abort"])
def test_a_message_for_a_ref_that_is_not_open_yet_has_no_effect(peer: Peer, kind: str) -> None:
    peer.say("upload.open", **open_message(0))
    assert peer.say(kind, ref=0) == []
    message = peer.only()
    assert (message["code"], message["ref"], message["ended"]) == ("bad_message", 0, False)
    peer.protocol.opened(0, UPLOAD, None, 0, 10, EXPIRES)
    assert peer.codes() == ["upload.opened"]


@pytest.mark.parametrize("kind", ["upload.finish", "upload.abort"])
def test_a_message_for_a_ref_never_opened_is_a_bad_message(peer: Peer, kind: str) -> None:
    peer.open(5)
    for ref in (3, 6):
        assert peer.say(kind, ref=ref) == []
        assert {"code": "bad_message", "ref": ref, "field": "ref"}.items() <= peer.only().items()
    assert peer.closed is None


@pytest.mark.parametrize("kind", ["upload.finish", "upload.abort"])
def test_a_message_that_crossed_the_end_of_its_ref_is_ignored(peer: Peer, kind: str) -> None:
    peer.open(0)
    peer.protocol.detached(0, "storage_full", 30)
    assert peer.only() == {
        "type": "upload.detached",
        "ref": 0,
        "reason": "storage_full",
        "retry_after_seconds": 30,
    }
    assert peer.say(kind, ref=0) == []
    assert peer.take() == []


# -- other answers


@pytest.mark.parametrize(
    ("error", "extra"),
    [(TakenOver(), {}), (StorageFull(retry_after_seconds=30), {"retry_after_seconds": 30}), (Busy(), {})],
)
def test_an_error_that_detaches_is_no_error_on_the_wire(
    peer: Peer, error: HeadraceError, extra: dict[str, object]
) -> None:
    peer.open(0)
    peer.protocol.failed(0, error)
    assert peer.only() == {"type": "upload.detached", "ref": 0, "reason": error.code} | extra
    assert peer.protocol.open_refs == frozenset()


def test_an_error_that_goes_on_can_set_the_offset_back(peer: Peer) -> None:
    peer.open(0, size=300)
    for offset in (0, 100, 200):
        peer.send(0, offset, 100)
    peer.commit(0, 100)
    peer.take()
    peer.protocol.failed(0, BadOffset(expected=150))
    assert {"code": "bad_offset", "expected": 150, "ended": False}.items() <= peer.only().items()
    assert peer.send(0, 200, 100) == [], "it was on its way"
    assert peer.take() == []
    assert peer.send(0, 150, 100)
    assert peer.send(0, 250, 50)
    assert peer.say("upload.finish", ref=0)


@pytest.mark.parametrize("expected", [99, 301])
def test_an_offset_can_be_set_back_only_to_where_bytes_are_not_stored(peer: Peer, expected: int) -> None:
    peer.open(0, size=400)
    for offset in (0, 100, 200):
        peer.send(0, offset, 100)
    peer.commit(0, 100)
    with pytest.raises(ValueError, match="go back"):
        peer.protocol.failed(0, BadOffset(expected=expected))


def test_an_error_that_goes_on_without_an_offset_changes_nothing(peer: Peer) -> None:
    peer.open(0)
    peer.send(0, 0, 100)
    peer.protocol.failed(0, RateLimited())
    assert {"code": "rate_limited", "ref": 0, "ended": False}.items() <= peer.only().items()
    assert peer.send(0, 100, 100)


def test_answers_for_a_ref_that_has_ended_do_nothing(peer: Peer) -> None:
    peer.open(0)
    peer.send(0, 0, 100)
    peer.protocol.detached(0, "draining")
    peer.take()
    peer.commit(0, 100)
    peer.protocol.stored(0, UPLOAD, 1, "", uuid4())
    peer.protocol.aborted(0)
    peer.protocol.detached(0, "busy")
    peer.protocol.failed(0, Internal())
    peer.protocol.set_window(0, 5)
    assert peer.take() == []
    assert not peer.protocol.subscriptions


def test_data_for_a_ref_that_was_passed_over_is_answered_but_not_for_one_long_forgotten(peer: Peer) -> None:
    for number in range(MAX_GAPS + 1):
        peer.open(2 * number + 1)
        peer.protocol.detached(2 * number + 1, "busy")
    assert peer.send(1, 0, 10) == []
    assert peer.send(0, 0, 10) == [], "the oldest hole is forgotten, so this counts as ended"
    peer.take()
    assert peer.send(2, 0, 10) == []
    assert peer.only()["code"] == "bad_message"
