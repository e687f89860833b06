"""UploadProtocol: data frames. Section 3 of docs/protocol.md."""

import struct
import zlib

import pytest

from tests.unit.uploads.peer import Peer, frame
from uploads.frames import pack_frame
from uploads.intake import DROPPED_WINDOWS
from uploads.jsontext import MAX_REF
from uploads.requests import Chunk, Close, Ended


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_a_frame_in_order_is_a_chunk_and_its_payload_is_not_copied(peer: Peer) -> None:
    peer.open(0)
    data = frame(0, 0, b"hello")
    [chunk] = peer.raw(data)
    assert isinstance(chunk, Chunk)
    assert (chunk.ref, chunk.offset, bytes(chunk.payload)) == (0, 0, b"hello")
    assert chunk.payload.obj is data
    [chunk] = peer.send(0, 5, b"world")
    assert chunk == Chunk(0, 5, memoryview(b"world"))
    assert peer.take() == []


def test_files_interleave_on_one_socket(peer: Peer) -> None:
    for ref in (1, 2, MAX_REF):
        peer.open(ref)
    for offset in (0, 10, 20):
        for ref in (MAX_REF, 1, 2):
            assert peer.send(ref, offset, 10)
    assert peer.take() == []


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_frame_without_a_whole_ref_is_answered(peer: Peer, size: int) -> None:
    peer.open(0)
    assert peer.raw(bytes(size)) == []
    assert peer.only()["code"] == "bad_message"
    assert peer.send(0, 0, 10)
    assert peer.closed is None


@pytest.mark.parametrize(("crc", "size"), [(False, 4), (False, 11), (False, 12), (True, 12), (True, 16)])
def test_a_frame_without_a_payload_closes(crc: bool, size: int) -> None:
    peer = Peer()
    peer.open(0, crc=crc)
    assert peer.raw(bytes(size)) == []
    assert peer.protocol.close == Close(4400, "frame without a payload")


@pytest.mark.parametrize("crc", [False, True])
def test_a_payload_is_at_most_a_chunk(crc: bool) -> None:
    peer = Peer()
    peer.open(0, crc=crc)
    assert peer.send(0, 0, 100, crc=crc)
    assert peer.send(0, 100, 101, crc=crc) == []
    assert peer.closed == 1009


def test_data_before_opened_is_answered_and_the_socket_lives(peer: Peer) -> None:
    assert peer.raw(b"hello") == []
    assert peer.only()["code"] == "bad_message"
    peer.say("upload.open", ref=0, name="a", size=5)
    assert peer.send(0, 0, 5) == []
    assert {"code": "bad_message", "ref": 0, "ended": False}.items() <= peer.only().items()
    assert peer.closed is None


def test_stray_data_is_told_once_in_a_row_and_a_flood_of_it_closes(peer: Peer) -> None:
    peer.open(0)
    for _ in range(3):
        assert peer.send(7, 0, 10) == []
    assert peer.only()["ref"] == 7
    assert peer.send(0, 0, 10)
    peer.send(7, 0, 10)
    assert peer.only()["ref"] == 7
    limits = peer.protocol._limits
    answered = 0
    while peer.closed is None:
        peer.send(7 + answered % 2, 0, 1)
        answered += len(peer.take())
    assert peer.closed == 4429
    assert answered <= DROPPED_WINDOWS * limits.window_bytes // limits.chunk_bytes + 1


@pytest.mark.parametrize("ref", [0, 2, 4, 2**32 - 1])
def test_data_for_a_ref_never_opened_is_answered(ref: int) -> None:
    peer = Peer()
    peer.open(1)
    peer.open(3)
    assert peer.send(ref, 0, 5) == []
    assert {"code": "bad_message", "ref": ref}.items() <= peer.only().items()
    assert peer.closed is None


def test_data_for_a_ref_that_has_ended_is_dropped(peer: Peer) -> None:
    peer.open(0)
    peer.protocol.detached(0, "busy")
    peer.take()
    assert peer.send(0, 0, 100) == []
    assert peer.raw(struct.pack(">I", 0)) == []
    assert peer.take() == []
    assert peer.closed is None


def test_data_for_what_is_being_sealed_is_dropped(peer: Peer) -> None:
    peer.open(0, size=100)
    peer.send(0, 0, 100)
    peer.say("upload.finish", ref=0)
    assert peer.send(0, 0, 100) == []
    assert peer.send(0, 100, 100) == []
    assert peer.take() == []
    assert peer.protocol.open_refs == {0}


def test_a_duplicate_is_dropped_and_acked_again(peer: Peer) -> None:
    peer.open(0, size=300)
    peer.send(0, 0, 100)
    peer.send(0, 100, 100)
    peer.commit(0, 100)
    peer.take()
    for offset, length in ((0, 100), (150, 100), (199, 1)):
        assert peer.send(0, offset, length) == []
        assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 100, "window": 1000}
    assert peer.send(0, 200, 100)


def test_a_gap_is_told_once_and_then_dropped_silently_until_the_expected_frame(peer: Peer) -> None:
    peer.open(0, size=500)
    peer.send(0, 0, 100)
    for offset in (200, 300, 50, 400):
        assert peer.send(0, offset, 100) == []
    message = peer.only()
    assert {
        "code": "bad_offset",
        "ref": 0,
        "expected": 100,
        "ended": False,
        "retryable": True,
    }.items() <= message.items()
    assert peer.send(0, 100, 100)
    assert peer.send(0, 300, 100) == []
    assert peer.only()["expected"] == 200, "a new gap is told anew"


def test_a_damaged_chunk_is_told_and_what_follows_is_dropped_silently(peer: Peer) -> None:
    peer.open(0, size=500, crc=True)
    assert peer.send(0, 0, 100, crc=True)
    assert peer.send(0, 100, 100, crc=True, damage=True) == []
    message = peer.only()
    assert {"code": "checksum", "ref": 0, "expected": 100, "ended": False, "retryable": True}.items() <= message.items()
    assert peer.send(0, 200, 100, crc=True) == []
    assert peer.send(0, 300, 100, crc=True, damage=True) == []
    assert peer.take() == []
    assert peer.send(0, 100, 100, crc=True, damage=True) == []
    assert peer.codes() == ["checksum"], "the expected frame came, so it is told again"
    [chunk] = peer.send(0, 100, b"y" * 100, crc=True)
    assert isinstance(chunk, Chunk)
    assert bytes(chunk.payload) == b"y" * 100


def test_without_a_checksum_no_crc_is_looked_for(peer: Peer) -> None:
    peer.open(0)
    [chunk] = peer.send(0, 0, b"payload", crc=True, damage=True)
    assert isinstance(chunk, Chunk)
    assert len(chunk.payload) == 11


@pytest.mark.parametrize("offset", [100, 150, 2**64 - 1])
def test_bytes_past_the_declared_size_end_the_ref(peer: Peer, offset: int) -> None:
    peer.open(0, size=150)
    peer.send(0, 0, 100)
    assert peer.send(0, offset, 51) == [Ended(0, "too_large")]
    message = peer.only()
    assert {"code": "too_large", "ref": 0, "ended": True, "retryable": False, "limit": 150}.items() <= message.items()
    assert peer.send(0, 100, 50) == []
    assert peer.closed is None


def test_bytes_past_the_largest_upload_end_the_ref(peer: Peer) -> None:
    peer.open(0, size=None, offset=4950)
    assert peer.send(0, 4950, 50)
    assert peer.send(0, 5000, 1) == [Ended(0, "too_large")]
    assert peer.only()["limit"] == 5000


def test_nothing_past_the_declared_size_is_accepted_even_where_part_of_it_fits(peer: Peer) -> None:
    peer.open(0, size=10)
    assert peer.send(0, 0, 11) == [Ended(0, "too_large")]


def test_more_than_four_windows_dropped_without_progress_closes(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.send(0, 0, 100)
    size = len(frame(0, 100, b"x" * 88))
    for _ in range(4 * 1000 // size):
        peer.send(0, 200, 88)
    assert peer.closed is None
    peer.send(0, 100, 88)
    for _ in range(4 * 1000 // size):
        peer.send(0, 0, 88)
    assert peer.closed is None, "there was progress in between"
    peer.send(0, 0, 88)
    assert peer.protocol.close == Close(4429, "no progress")


@pytest.mark.parametrize("state", ["damaged", "sealing", "ended"])
def test_no_way_of_having_frames_dropped_goes_on_for_ever(state: str) -> None:
    peer = Peer()
    peer.open(0, size=100, crc=state == "damaged")
    if state == "sealing":
        peer.send(0, 0, 100)
        peer.say("upload.finish", ref=0)
    if state == "ended":
        peer.protocol.detached(0, "busy")
    sent = 0
    while peer.closed is None and sent < 10_000:
        peer.send(0, 0, 100, crc=state == "damaged", damage=True)
        sent += 1
    assert peer.closed == 4429
    assert 4000 / 116 - 1 < sent < 4000 / 112 + 2


def test_progress_of_any_ref_forgives_what_came_for_those_that_have_ended(peer: Peer) -> None:
    peer.open(0)
    peer.protocol.detached(0, "busy")
    peer.open(1, size=5000)
    for step in range(300):
        peer.send(0, 0, 100)
        if step % 30 == 0:
            assert peer.send(1, step // 30, 1)
    assert peer.closed is None


# -- the client's side of it


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_packed_frame_is_what_the_server_accepts(crc: bool, kind: type) -> None:
    peer = Peer()
    peer.open(0, size=5000, crc=crc, offset=4321)
    data = pack_frame(0, 4321, kind(b"payload"), crc)
    assert data == frame(0, 4321, b"payload", crc=crc)
    [chunk] = peer.raw(data)
    assert isinstance(chunk, Chunk)
    assert bytes(chunk.payload) == b"payload"


def test_the_largest_numbers_fit_a_frame() -> None:
    data = pack_frame(MAX_REF, 2**53 - 1, b"x", crc32=True)
    assert data == b"\xff\xff\xff\xfe" + b"\x00\x1f" + b"\xff" * 6 + zlib.crc32(b"x").to_bytes(4, "big") + b"x"


@pytest.mark.parametrize(
    ("ref", "offset", "payload"), [(0, 0, b""), (-1, 0, b"x"), (MAX_REF + 1, 0, b"x"), (0, 2**53, b"x"), (0, -1, b"x")]
)
def test_what_does_not_fit_a_frame_is_refused(ref: int, offset: int, payload: bytes) -> None:
    for crc in (False, True):
        with pytest.raises(ValueError, match=r"fit|at least"):
            pack_frame(ref, offset, payload, crc)
