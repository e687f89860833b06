"""UploadProtocol: acks, windows, the socket's budget, and uploads that do not move. Section 4 of docs/protocol.md."""

from dataclasses import replace

import pytest

from tests.unit.uploads.peer import LIMITS, Peer
from uploads.requests import Close, Ended


@pytest.fixture
def peer() -> Peer:
    return Peer()


def fill(peer: Peer, ref: int, start: int, end: int) -> None:
    """Send bytes `start` to `end` in chunks of at most 100."""
    for offset in range(start, end, 100):
        assert len(peer.send(ref, offset, min(100, end - offset))) == 1


# -- acks


def test_an_ack_waits_for_half_a_window(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 600)
    for offset in (100, 400, 499):
        peer.commit(0, offset)
        assert peer.take() == []
    peer.commit(0, 500)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 500, "window": 1000}


def test_an_ack_waits_for_100_ms_and_no_longer(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 300)
    peer.commit(0, 100)
    peer.now += 0.0625
    peer.commit(0, 200)
    due = peer.now - 0.0625 + 0.1
    assert peer.protocol.deadline == due
    peer.protocol.tick(due - 0.001)
    assert peer.take() == []
    peer.protocol.tick(due)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 200, "window": 1000}
    peer.protocol.tick(due + 0.5)
    assert peer.take() == []


def test_the_deadline_is_that_of_the_oldest_ack(peer: Peer) -> None:
    for ref in (0, 1):
        peer.open(ref, size=400)
        fill(peer, ref, 0, 300)
        peer.commit(ref, 10)
        peer.now += 0.03125
    assert peer.protocol.deadline == 1000.1
    peer.protocol.tick(1000.1)
    assert peer.only()["ref"] == 0
    assert peer.protocol.deadline == 1000.13125
    peer.commit(1, 20)
    peer.protocol.tick(1000.13125)
    assert peer.only()["ref"] == 1


def test_the_last_byte_is_acked_at_once(peer: Peer) -> None:
    peer.open(0, size=150)
    fill(peer, 0, 0, 150)
    peer.commit(0, 100)
    assert peer.take() == []
    peer.commit(0, 150)
    assert peer.only()["offset"] == 150


def test_a_client_that_is_stopped_by_its_edge_is_acked_at_once(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 1000)
    peer.commit(0, 1)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 1, "window": 1000}


def test_of_the_acks_that_wait_to_be_taken_only_the_newest_is_sent(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.open(1, size=5000)
    fill(peer, 0, 0, 1000)
    for offset in (500, 600, 1000):
        peer.commit(0, offset)
    peer.say("ping")
    peer.send(1, 1, 1)
    fill(peer, 0, 1000, 1500)
    peer.commit(0, 1500)
    messages = peer.take()
    assert [message["type"] for message in messages] == ["pong", "error", "upload.ack"]
    assert messages[-1]["offset"] == 1500
    assert peer.take() == []


def test_a_late_commit_changes_nothing(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 600)
    peer.commit(0, 600)
    peer.take()
    peer.commit(0, 600)
    peer.commit(0, 100)
    peer.protocol.tick(peer.now + 1)
    assert peer.take() == []


def test_no_more_can_be_committed_than_was_received(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 100)
    with pytest.raises(ValueError, match="only 100"):
        peer.commit(0, 101)


# -- the edge


def test_a_frame_may_end_at_the_edge_and_not_past_it(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 1000)
    assert peer.closed is None
    assert peer.send(0, 1000, 1) == []
    assert peer.protocol.close == Close(4429, "past the window")


def test_the_edge_is_what_was_announced_and_not_what_is_stored(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 400)
    peer.commit(0, 400)
    fill(peer, 0, 400, 1000)
    assert peer.take() == []
    peer.send(0, 1000, 1)
    assert peer.closed == 4429


def test_a_frame_past_the_edge_closes_even_where_it_would_be_dropped(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.send(0, 100, 100)
    assert peer.codes() == ["bad_offset"]
    peer.send(0, 901, 100)
    assert peer.closed == 4429


def test_a_client_is_slowed_by_not_moving_its_edge(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 600)
    peer.protocol.set_window(0, 300)
    assert peer.take() == []
    peer.commit(0, 600)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 600, "window": 400}, "the edge stays"
    fill(peer, 0, 600, 1000)
    peer.commit(0, 900)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 900, "window": 300}
    peer.protocol.set_window(0, 0)
    fill(peer, 0, 1000, 1200)
    peer.commit(0, 1200)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 1200, "window": 0}
    peer.protocol.set_window(0, None)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 1200, "window": 1000}
    peer.protocol.set_window(0, None)
    assert peer.take() == []


def test_a_window_is_never_more_than_the_share(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.protocol.set_window(0, 100_000)
    assert peer.take() == []


def test_there_is_no_window_to_give_where_all_has_been_sent(peer: Peer) -> None:
    peer.open(0, size=100)
    peer.protocol.set_window(0, 50)
    fill(peer, 0, 0, 100)
    peer.commit(0, 100)
    peer.take()
    peer.protocol.set_window(0, None)
    assert peer.take() == []


# -- the budget of a socket


def test_one_upload_has_the_whole_window_and_the_next_gets_what_is_left(peer: Peer) -> None:
    assert peer.open(0, size=5000)["window"] == 1000
    assert peer.open(1, size=5000)["window"] == 100, "the first may still send all of its 1000 bytes"
    fill(peer, 0, 0, 900)
    peer.commit(0, 700)
    assert peer.only() == {"type": "upload.ack", "ref": 0, "offset": 700, "window": 500}, "now it has half"
    fill(peer, 1, 0, 100)
    peer.commit(1, 100)
    assert peer.only() == {"type": "upload.ack", "ref": 1, "offset": 100, "window": 500}


def test_a_client_that_waits_for_room_for_a_whole_chunk_gets_it() -> None:
    peer = Peer(replace(LIMITS, chunk_bytes=500, window_bytes=1100))
    peer.open(0, size=5000)
    assert peer.open(1, size=5000)["window"] == 500
    assert peer.open(2, size=5000)["window"] == 500
    peer.send(1, 0, 1)
    peer.commit(1, 1)
    peer.protocol.tick(peer.now)
    assert peer.only() == {"type": "upload.ack", "ref": 1, "offset": 1, "window": 500}
    peer.send(2, 0, 1)
    peer.protocol.tick(peer.now)
    assert peer.take() == [], "there is nothing to give"
    peer.protocol.detached(0, "busy")
    peer.take()
    peer.protocol.tick(peer.now)
    assert peer.only() == {"type": "upload.ack", "ref": 2, "offset": 0, "window": 550}
    peer.protocol.tick(peer.now + 1)
    assert peer.take() == []


def test_what_an_upload_leaves_is_for_the_others(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.open(1, size=5000)
    peer.protocol.detached(0, "busy")
    peer.take()
    fill(peer, 1, 0, 100)
    peer.commit(1, 100)
    assert peer.only()["window"] == 1000


@pytest.mark.parametrize("how", ["all received", "aborting", "finished"])
def test_an_upload_that_can_send_nothing_more_takes_only_what_is_not_stored(peer: Peer, how: str) -> None:
    peer.open(0, size=300 if how == "all received" else None)
    fill(peer, 0, 0, 300)
    if how == "aborting":
        peer.say("upload.abort", ref=0)
    if how == "finished":
        peer.say("upload.finish", ref=0, size=300)
    assert peer.open(1, size=5000)["window"] == 700
    fill(peer, 1, 0, 700)
    peer.commit(0, 300)
    peer.commit(1, 700)
    assert peer.take()[-1]["window"] == 1000


def test_small_files_take_no_more_of_the_budget_than_they_have() -> None:
    peer = Peer(replace(LIMITS, open_uploads=50))
    for ref in range(5):
        peer.open(ref, size=10)
    assert peer.open(5, size=5000)["window"] == 1000 // 6, "its share, and not the least of all"


def test_every_upload_always_gets_a_window() -> None:
    peer = Peer(replace(LIMITS, open_uploads=50))
    windows = [peer.open(ref, size=5000)["window"] for ref in range(50)]
    assert windows == [1000] + [100] * 49


@pytest.mark.parametrize(
    ("chunk", "window", "uploads", "floor"),
    [((1 << 20) - 16, 8 << 20, 100, 83_886), (65_536, 8 << 20, 4, 65_536), (65_536, 1 << 20, 10_000, 1024)],
)
def test_the_least_window_is_a_fair_part_of_the_budget(chunk: int, window: int, uploads: int, floor: int) -> None:
    limits = replace(LIMITS, chunk_bytes=chunk, window_bytes=window, open_uploads=uploads)
    assert limits.floor == floor


# -- no movement


def test_an_upload_that_the_server_does_not_move_for_a_minute_is_detached(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.open(1, size=5000)
    peer.now += 500
    fill(peer, 0, 0, 100)
    start = peer.now
    while peer.now < start + 59:
        peer.now += 1
        assert peer.protocol.tick(peer.now) == []
    assert peer.protocol.deadline == peer.now + 1
    assert peer.protocol.tick(start + 60) == [Ended(0, "busy")]
    assert peer.only() == {"type": "upload.detached", "ref": 0, "reason": "busy"}
    assert peer.protocol.open_refs == {1}
    assert peer.closed is None


def test_any_byte_that_is_stored_is_movement(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 500)
    for offset in range(1, 10):
        peer.now += 59
        peer.commit(0, offset)
        assert peer.protocol.tick(peer.now) == []


def test_a_window_that_stays_shut_is_no_movement(peer: Peer) -> None:
    peer.open(0, size=5000)
    peer.protocol.set_window(0, 0)
    fill(peer, 0, 0, 1000)
    peer.commit(0, 1000)
    peer.now += 59.9
    assert peer.protocol.tick(peer.now) == []
    peer.now += 0.1
    assert peer.protocol.tick(peer.now) == [Ended(0, "busy")]


def test_a_client_that_takes_its_time_is_not_detached(peer: Peer) -> None:
    peer.open(0, size=5000)
    fill(peer, 0, 0, 950)
    peer.commit(0, 950)
    peer.now += 10_000
    assert peer.protocol.tick(peer.now) == []
    fill(peer, 0, 950, 1000)
    peer.now += 59
    assert peer.protocol.tick(peer.now) == [], "the minute begins with the chunk"


@pytest.mark.parametrize("state", ["opening", "sealing", "all stored"])
def test_opening_sealing_and_a_client_that_does_not_finish_are_no_standstill(peer: Peer, state: str) -> None:
    if state == "opening":
        peer.say("upload.open", ref=0, name="a", size=1)
    else:
        peer.open(0, size=100)
        fill(peer, 0, 0, 100)
        if state == "sealing":
            peer.say("upload.finish", ref=0)
        else:
            peer.commit(0, 100)
    peer.now += 1000
    assert peer.protocol.tick(peer.now) == []
    assert peer.protocol.open_refs == {0}
