"""The parts of config/server.py that need no server."""

import asyncio
import logging
import socket
import struct
from typing import Any

import pytest

from config.accesslog import AccessLog
from config.flow import LARGE_READ, MESSAGE_OVERHEAD, Inbox, Limits, Outbox, weigh
from config.listening import CannotListen, PortTaken, listen
from config.liveness import Liveness, hung_up


def message(size: int) -> dict[str, Any]:
    return {"type": "websocket.receive", "bytes": bytes(size)}


class Gate:
    """Notes whether reading is paused."""

    def __init__(self, high: int = 10_000, low: int = 3_000) -> None:
        self.history: list[str] = []
        self.inbox = Inbox(high, low, lambda: self.history.append("pause"), lambda: self.history.append("resume"))


async def test_an_inbox_pauses_at_the_high_mark_and_resumes_at_the_low_one() -> None:
    gate = Gate()
    for _ in range(4):
        gate.inbox.put_nowait(message(2500))
    assert gate.history == ["pause"]
    gate.inbox.put_nowait(message(1))
    assert gate.history == ["pause"]
    for left in (4, 3, 2):
        assert gate.history == ["pause"], left
        await gate.inbox.get()
    assert gate.history == ["pause"]
    await gate.inbox.get()
    assert gate.history == ["pause", "resume"]
    await gate.inbox.get()
    assert gate.inbox.weight == 0
    assert not gate.inbox.paused


async def test_empty_messages_have_weight() -> None:
    gate = Gate()
    for _ in range(10_000 // MESSAGE_OVERHEAD + 1):
        gate.inbox.put_nowait({"type": "websocket.receive", "text": ""})
    assert gate.inbox.paused


def test_the_weight_of_a_text_is_what_it_takes_in_memory() -> None:
    assert weigh({"text": "\N{WATER WAVE}" * 1000}) > 4000
    assert weigh({"text": "w" * 1000}) < 2000


async def test_a_finished_inbox_ends_in_one_disconnect() -> None:
    gate = Gate()
    for _ in range(4):
        gate.inbox.put_nowait(message(2500))
    gate.inbox.finish(1001)
    gate.inbox.finish(1006)
    gate.inbox.put_nowait(message(1))
    assert gate.history == ["pause", "resume"]  # the socket may be read to its end
    received = [await gate.inbox.get() for _ in range(5)]
    assert [one["type"] for one in received] == ["websocket.receive"] * 4 + ["websocket.disconnect"]
    assert received[4]["code"] == 1001
    assert gate.inbox.weight == 0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gate.inbox.get(), 0.01)


async def test_a_closed_inbox_forgets_and_takes_only_the_disconnect() -> None:
    gate = Gate()
    for _ in range(4):
        gate.inbox.put_nowait(message(2500))
    gate.inbox.close()
    gate.inbox.put_nowait(message(2500))
    assert gate.history == ["pause", "resume"]
    gate.inbox.finish(1000)
    gate.inbox.close()
    assert (await gate.inbox.get())["code"] == 1000


async def test_a_cancelled_receive_loses_nothing() -> None:
    gate = Gate()
    waiting = asyncio.ensure_future(gate.inbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    gate.inbox.put_nowait(message(7))
    assert len((await gate.inbox.get())["bytes"]) == 7


class FakeTransport:
    """What an Outbox looks at; `kernel` is a socket pair, one end of which may be read by the test."""

    def __init__(self) -> None:
        self.connected = 1
        self.dataBuffer = b""
        self.offset = 0
        self._tempDataLen = 0
        self.here, self.there = socket.socketpair()

    def getHandle(self) -> socket.socket:  # noqa: N802
        return self.here

    def hold(self, size: int) -> None:
        self._tempDataLen = size

    def close(self) -> None:
        self.here.close()
        self.there.close()


@pytest.fixture
def transport() -> Any:
    fake = FakeTransport()
    yield fake
    fake.close()


async def test_what_waits_is_in_the_transport_and_what_is_unsent_also_in_the_kernel(transport: FakeTransport) -> None:
    outbox = Outbox(transport)
    assert outbox.unsent() == 0
    transport.dataBuffer, transport.offset = b"x" * 100, 30
    transport.hold(5)
    assert outbox.waiting() == 75
    transport.here.send(b"y" * 50)
    assert outbox.unsent() >= 75 + 50
    transport.connected = 0
    assert outbox.unsent() == 75


async def test_a_peer_is_stalled_only_while_there_is_something_to_take(transport: FakeTransport) -> None:
    outbox = Outbox(transport)
    assert outbox.stalled_for(0) == 0
    assert outbox.stalled_for(100) == 0
    outbox.wrote(1000)
    transport.hold(1000)
    assert outbox.stalled_for(110) == 10  # since it was last seen with nothing to take
    outbox.wrote(500)  # more to take is no progress
    transport.hold(1500)
    assert outbox.stalled_for(120) == 20
    transport.hold(1499)
    assert outbox.stalled_for(130) == 0
    assert outbox.stalled_for(150) == 20
    outbox.excuse(15)
    assert outbox.stalled_for(150) == 5


async def test_one_message_may_be_larger_than_all_that_may_wait(transport: FakeTransport) -> None:
    outbox = Outbox(transport)
    outbox.wrote(1000)
    transport.hold(1000)
    assert not outbox.overflows(100)
    outbox.wrote(100)
    transport.hold(1101)
    assert outbox.overflows(100)
    transport.hold(0)
    outbox.wrote(10)
    transport.hold(111)
    assert outbox.overflows(100)


async def test_room_waits_until_all_is_written(transport: FakeTransport) -> None:
    outbox = Outbox(transport)
    await asyncio.wait_for(outbox.room(100), 1)
    transport.hold(101)
    waiting = asyncio.ensure_future(outbox.room(100))
    await asyncio.sleep(0)
    outbox.resumeProducing()  # and by then somebody else has written
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    transport.hold(0)
    outbox.resumeProducing()
    await asyncio.wait_for(waiting, 1)


async def test_room_ends_with_the_connection(transport: FakeTransport) -> None:
    outbox = Outbox(transport)
    transport.hold(101)
    waiting = asyncio.ensure_future(outbox.room(100))
    await asyncio.sleep(0)
    outbox.stopProducing()
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(outbox.room(100), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"received_low": 5 << 20},
        {"received_low": 0},
        {"unsent_mark": LARGE_READ - 1},
        {"unsent_bytes": 1000},
    ],
)
def test_limits_that_do_not_fit_together(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Limits(**wrong)


def test_a_peer_that_answers_pings_is_alive() -> None:
    peer = Liveness(beat=20, now=0)
    assert not peer.ping_due(19, 0)
    assert peer.ping_due(20, 0)
    assert not peer.ping_due(21, 0)
    peer.hear(25)
    assert not peer.silent(59)
    assert not peer.ping_due(44, 0)
    assert peer.ping_due(45, 0)


def test_a_peer_is_silent_two_beats_after_the_first_ping_it_did_not_answer() -> None:
    peer = Liveness(beat=20, now=0)
    assert peer.ping_due(20, 0)
    assert peer.ping_due(40, 0)
    assert not peer.silent(59)
    assert peer.silent(60)


def test_no_ping_behind_what_is_still_to_be_taken() -> None:
    peer = Liveness(beat=20, now=0)
    assert not peer.ping_due(100, 1)
    assert not peer.silent(1000)
    assert peer.ping_due(1001, 0)


def test_what_is_no_fault_of_the_peer_does_not_count() -> None:
    peer = Liveness(beat=20, now=0)
    assert peer.ping_due(20, 0)
    peer.excuse(30)
    assert not peer.silent(89)
    assert peer.silent(90)
    peer.hear(90)  # a pause of reading has ended
    peer.excuse(5)
    assert not peer.silent(90)


def test_a_connection_is_abandoned_when_both_ends_have_left_it() -> None:
    peer = Liveness(beat=20, now=0)
    assert not peer.abandoned(100, lambda: False, 0, 10)
    assert not peer.abandoned(200, lambda: True, 0, 10)
    assert not peer.abandoned(210, lambda: True, 0, 10)
    assert peer.abandoned(211, lambda: True, 0, 10)
    assert not peer.abandoned(211, lambda: True, 205, 10)


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_hang_up_is_seen_behind_unread_data(how: str) -> None:
    with listen("127.0.0.1", 0) as listener:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"unread")
                assert server.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL) == b"unread"
                assert not hung_up(server)
                if how == "RST":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                assert hung_up(server)


def test_an_address_that_cannot_be_listened_on() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is in use"):
            listen("127.0.0.1", port)
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0"):
        listen("192.0.2.1", 0)  # TEST-NET-1, nobody's
    with pytest.raises(CannotListen, match="not:an:address"):
        listen("not:an:address", 0)


def test_all_addresses() -> None:
    for host in ("", "0.0.0.0", "localhost"):
        with listen(host, 0) as listener, socket.create_connection(("localhost", listener.getsockname()[1])):
            pass


def test_the_access_log_has_no_query_no_line_break_and_what_redact_leaves(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "headrace.access")
    log = AccessLog(lambda path: path.replace("capability", "*"))
    details = {"client": "192.0.2.1:7", "method": "GET", "status": 200, "size": 5, "time_taken": 0.0504}
    log("http", "complete", {**details, "path": "/x/capability?token=SECRET\nforged"})
    log("websocket", "connected", {})
    log.unfinished(None, b"PO\nST", b"/\r\n?q", "413 -", 0)
    assert caplog.messages == ["192.0.2.1:7 GET /x/* 200 5 0.050s", "- PO\\nST /\\r\\n 413 - 0.000s"]
