"""The published vectors, tests/vectors: what the Python and the JavaScript side both must pass."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.uploads.peer import EXPIRES, LIMITS, Peer
from uploads import errors, replies
from uploads.errors import BadMessage, HeadraceError
from uploads.flow import Limits
from uploads.frames import pack_frame
from uploads.messages import parse
from uploads.requests import Chunk

VECTORS = Path(__file__).parents[2] / "vectors"
VECTOR_LIMITS = replace(LIMITS, chunk_bytes=65_536, window_bytes=1 << 20, upload_bytes=2**53 - 1)
ERRORS: dict[str, type[HeadraceError]] = {kind.code: kind for kind in HeadraceError.__subclasses__()} | {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeadraceError)
}

Case = dict[str, Any]


def cases(file: str, *having: str) -> list[Case]:
    """The cases of a file that have all of these fields, or these values as `field=value`."""
    found: list[Case] = json.loads((VECTORS / file).read_text())
    for word in having:
        field, _, value = word.partition("=")
        found = [case for case in found if field in case and (not value or case[field] == value)]
    assert found
    return found


def named(case: Case) -> str:
    return str(case["name"])


def text_of(case: Case) -> str:
    parts = case["text"] if isinstance(case["text"], list) else [case["text"]]
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)


@pytest.mark.parametrize("file", ["frames.json", "messages.json"])
def test_every_case_has_a_name_of_its_own_and_is_of_a_known_kind(file: str) -> None:
    names = [case["name"] for case in cases(file)]
    assert len(names) == len(set(names))
    for case in cases(file):
        kinds = {"expected", "error", "outcome"} & set(case)
        assert kinds in ({"expected"}, {"error"}, {"outcome"}, {"outcome", "error"}), case["name"]
        assert case["direction"] in ("client", "server")


# -- frames


@pytest.mark.parametrize("case", cases("frames.json", "expected"), ids=named)
def test_a_frame_is_packed_and_read(case: Case) -> None:
    expected = case["expected"]
    data, payload = bytes.fromhex(case["hex"]), bytes.fromhex(expected["payload"])
    assert pack_frame(expected["ref"], expected["offset"], payload, case["checksum"]) == data

    peer = Peer(VECTOR_LIMITS)
    checksum = "crc32" if case["checksum"] else None
    peer.say("upload.open", ref=expected["ref"], name="a", size=None, checksum=checksum)
    # At the largest offset there is no room for the payload, and this is about reading the frame.
    peer.protocol.opened(expected["ref"], uuid4(), None, expected["offset"], 2**54, EXPIRES)
    assert peer.raw(data) == [Chunk(expected["ref"], expected["offset"], memoryview(payload))]


@pytest.mark.parametrize("case", cases("frames.json", "close"), ids=named)
def test_what_is_no_frame_closes(case: Case) -> None:
    peer = open_all(case)
    assert peer.raw(bytes.fromhex(case["hex"])) == []
    assert peer.closed == case["close"]
    assert peer.take() == []


@pytest.mark.parametrize("case", cases("frames.json", "answered"), ids=named)
def test_what_has_no_ref_is_answered(case: Case) -> None:
    peer = open_all(case)
    assert peer.raw(bytes.fromhex(case["hex"])) == []
    assert peer.only()["code"] == case["answered"]
    assert peer.closed is None


@pytest.mark.parametrize("case", cases("frames.json", "outcome"), ids=named)
def test_a_frame_is_judged(case: Case) -> None:
    peer = open_all(case)
    for data in case.get("before", []):
        peer.raw(bytes.fromhex(data))
    peer.take()
    data = bytes.fromhex(case["hex"])
    requests = peer.raw(data)
    messages = peer.take()
    assert any(isinstance(request, Chunk) for request in requests) is (case["outcome"] == "stored")
    assert (peer.closed is not None) is (case["outcome"] == "closed")
    if case["outcome"] == "acked":
        assert [message["type"] for message in messages] == ["upload.ack"]
    elif case["outcome"] == "refused":
        [message] = messages
        assert (message["type"], message["code"]) == ("error", case["error"])
        assert message["ref"] == int.from_bytes(data[:4], "big")
        assert case["answer"].items() <= message.items()
    else:
        assert messages == []


def open_all(case: Case) -> Peer:
    peer = Peer(VECTOR_LIMITS)
    for upload in case["opened"]:
        peer.open(upload["ref"], size=upload["size"], offset=upload["offset"], crc=case["checksum"])
    return peer


# -- messages


@pytest.mark.parametrize("case", cases("messages.json", "direction=client", "expected"), ids=named)
def test_a_message_of_a_client_is_read(case: Case) -> None:
    assert parse(text_of(case)).model_dump(mode="json") == case["expected"]


@pytest.mark.parametrize("case", cases("messages.json", "direction=client", "error"), ids=named)
def test_a_message_of_a_client_is_refused(case: Case) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(text_of(case))
    detail = caught.value.detail
    assert detail.get("ref") == case.get("ref")
    for name in ("field", "job"):
        assert name not in case or detail[name] == case[name]

    peer = Peer()
    assert peer.text(text_of(case)) == []
    assert peer.only()["code"] == case["error"]
    assert peer.closed is None


@pytest.mark.parametrize("case", cases("messages.json", "direction=server"), ids=named)
def test_a_message_of_the_server_is_what_the_server_says(case: Case) -> None:
    text = text_of(case)
    expected = case["expected"]
    if expected is None:
        return
    assert json.loads(text) == expected
    assert say(expected) == expected


def say(message: Case) -> Case:
    """The same message, made by the server's code."""
    fields = {name: value for name, value in message.items() if name != "type"}
    match message["type"]:
        case "welcome":
            assert fields.pop("version") == 1
            return replies.welcome(**fields | {"limits": Limits(**fields["limits"])})
        case "ping" | "pong" as kind:
            return (replies.ping if kind == "ping" else replies.pong)(fields["id"])
        case "bye":
            return replies.bye(fields["reason"], fields.get("retry_after_seconds"))
        case "upload.opened":
            return replies.opened(**fields | {"expires_at": datetime.fromisoformat(fields["expires_at"])})
        case "upload.detached":
            return replies.detached(fields["ref"], fields["reason"], fields.get("retry_after_seconds"))
        case "error":
            kind_of_error = ERRORS[fields["code"]]
            common = {"ref", "job", "code", "message", "retryable", "ended"}
            error = kind_of_error(**{name: value for name, value in fields.items() if name not in common})
            return replies.error(error, ref=fields.get("ref"), job=fields.get("job"), ended=fields["ended"])
        case "job.event":
            peer = Peer()
            peer.protocol.job_state({"type": "job.state", "job": message["job"]})
            peer.say("job.subscribe", job=message["job"])
            peer.protocol.job_state({"type": "job.state", "job": message["job"], "state": "running", "seq": 0})
            peer.protocol.job_event(message | {"event": "started", "seq": message["seq"] - 1}, replay=True)
            if message["event"] == "progress":
                peer.protocol.job_event(message | {"event": "started"}, replay=True)
            peer.take()
            assert peer.protocol.job_event(message, replay=False)
            return peer.only()
        case "job.state":
            peer = Peer()
            peer.protocol.job_state(message)
            return peer.only()
        case kind:
            made: Case = getattr(replies, kind.removeprefix("upload."))(**fields)
            return made
