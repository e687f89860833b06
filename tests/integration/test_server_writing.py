"""config/server.py: clients that do not read, over WebSocket and HTTP."""

import socket
import time
from pathlib import Path

import pytest

from tests.integration.raw_websocket import PING, PONG, TEXT, Raw, frame
from tests.integration.serving import PATIENCE, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

MIB = 1 << 20


@pytest.mark.parametrize("kind", ["talk", "shout"])
def test_a_client_that_reads_nothing_is_cut_off(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, heartbeat_seconds=0.5) as served:
        before = served.reset_peak()
        with Raw(served.port, f"/ws/{kind}/a"):
            record = served.wait_record("a", disconnect=1006, ended="returned")
        assert record["sent"] > 0
        reason = {"talk": "the peer takes nothing", "shout": "more waits to be written"}[kind]
        assert reason in served.process.log()
        assert served.memory("VmHWM") - before < 64 * MIB


def test_what_waits_is_bounded_before_the_heartbeats_are_over(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=600) as served, Raw(served.port, "/ws/shout/a", receive_buffer=4096):
        served.wait_record("a", disconnect=1006, ended="returned")


def test_send_waits_for_a_slow_reader(tmp_path: Path) -> None:
    """No more than the mark, the kernel's buffers and one message are ahead of the reader."""
    with serving(tmp_path, heartbeat_seconds=600) as served:
        before = served.reset_peak()
        with Raw(served.port, "/ws/talk/a", receive_buffer=4096) as ws:
            for _ in range(400):
                assert len(ws.receive()[1]) == 1 << 16
            ahead = served.get("/record/a")["sent"] - 400
            assert ahead < 10 * MIB >> 16
            assert served.get("/sockets")["a"]["waiting"] <= 2 * MIB
        served.wait_record("a", ended="returned")
        assert served.memory("VmHWM") - before < 64 * MIB


def test_a_large_message_reaches_a_slow_reader_whole(tmp_path: Path) -> None:
    """It is larger than all that may wait, and takes longer than two heartbeats; but the client does take it."""
    with serving(tmp_path, heartbeat_seconds=0.5) as served:
        with Raw(served.port, "/ws/large/a", receive_buffer=1 << 16) as ws:
            ws.pace = 0.02
            ws.send(PING, b"impatient")  # the pong has to wait, and is no reason to be cut off
            started = time.monotonic()
            opcode, text = ws.receive()
            assert (opcode, len(text)) == (TEXT, 20 * MIB)
            assert time.monotonic() - started > 1
            assert ws.receive_other_than(PING, PONG) == (TEXT, b"done")
        served.wait_record("a", ended="returned")


def test_pings_of_a_client_that_does_not_read_the_pongs(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=0.5) as served, Raw(served.port, "/ws/sink/a", receive_buffer=4096) as ws:
        before = served.reset_peak()

        def ping() -> None:
            while True:
                ws.sock.sendall(frame(PING, bytes(125)) * 500)

        ws.in_background(ping)
        served.wait_record("a", disconnect=1006, ended="returned")
        assert served.memory("VmHWM") - before < 64 * MIB


def test_a_download_that_is_not_read_is_held_back_and_then_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=1) as served, Raw(served.port, "/ws/echo/b") as other:
        before = served.reset_peak()
        with socket.create_connection(("127.0.0.1", served.port), 60) as sock:
            sock.sendall(b"GET /download/a/6400 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            other.send(TEXT, b"meanwhile")
            assert other.receive_other_than(PING) == (TEXT, b"meanwhile")
            served.process.wait_log("GET /download/a/6400 200 aborted", PATIENCE)
        assert served.memory("VmHWM") - before < 64 * MIB


def test_a_download_that_is_read_comes_whole(tmp_path: Path) -> None:
    with serving(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), 60) as sock:
        sock.sendall(b"GET /download/a/1600 HTTP/1.0\r\nHost: a\r\n\r\n")
        size = 0
        while data := sock.recv(1 << 20):
            size += len(data)
        assert 1600 << 16 < size < (1600 << 16) + 1000
