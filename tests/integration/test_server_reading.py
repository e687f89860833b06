"""config/server.py: what a client can make the server hold, and what becomes of it when the client goes."""

import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness.waiting import wait_until
from tests.integration.raw_websocket import BINARY, CLOSE, PING, PONG, TEXT, Raw, frame
from tests.integration.serving import PATIENCE, Served, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

MIB = 1 << 20
CHUNK = 256 << 10
SMALL: dict[str, Any] = {"received_high": 256 << 10, "received_low": 64 << 10}


def numbered(count: int, size: int) -> list[bytes]:
    """Frames whose payload begins with their number; the application checks the order."""
    return [frame(BINARY, number.to_bytes(8) + bytes(size - 8)) for number in range(count)]


def test_a_flood_is_held_back_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    count = 400 * MIB // CHUNK
    with serving(tmp_path) as served, Raw(served.port, "/ws/stuck/a") as ws, Raw(served.port, "/ws/echo/b") as other:
        before = served.reset_peak()
        ws.sock.settimeout(None)
        body = bytes(CHUNK - 8)

        def flood() -> None:
            for number in range(count):
                ws.sock.sendall(b"".join((frame(BINARY, bytes(CHUNK))[:14], number.to_bytes(8), body)))

        writer = ws.in_background(flood)
        served.wait_paused("a")
        for number in range(50):
            other.send(TEXT, b"%d" % number)
            assert other.receive() == (TEXT, b"%d" % number)
        assert served.get("/sockets")["a"]["weight"] < 5 * MIB
        assert served.get("/record/a")["messages"] == 0
        assert writer.is_alive()
        assert served.memory("VmHWM") - before < 64 * MIB

        served.get("/release/a")
        writer.join(PATIENCE * 2)
        assert not writer.is_alive()
        record = served.wait_record("a", messages=count)
        assert record["bytes"] == 400 * MIB
        assert record["order"]
        assert served.memory("VmHWM") - before < 64 * MIB


def test_a_flood_of_empty_messages_is_held_back_too(tmp_path: Path) -> None:
    with serving(tmp_path) as served, Raw(served.port, "/ws/stuck/a") as ws:
        before = served.reset_peak()
        ws.sock.settimeout(None)
        writer = ws.in_background(lambda: ws.sock.sendall(frame(BINARY) * 3_000_000))
        served.wait_paused("a")
        assert served.memory("VmHWM") - before < 64 * MIB
        ws.sock.shutdown(socket.SHUT_RDWR)
        writer.join(PATIENCE)


def fill(served: Served, ws: Raw, name: str, count: int = 40) -> int:
    """Send until the server reads no more (that takes eight messages), and beyond. Returns how many messages."""
    frames = numbered(count, 32 << 10)
    for one in frames:
        ws.sock.sendall(one)
    served.wait_paused(name)
    return len(frames)


def close_frame_then_fin(ws: Raw) -> None:
    ws.send(CLOSE, (1001).to_bytes(2) + b"bye")
    ws.sock.close()


def half_close(ws: Raw) -> None:
    """FIN, but the kernel goes on acknowledging pings."""
    ws.sock.shutdown(socket.SHUT_WR)


CLOSINGS = {
    "close frame": close_frame_then_fin,
    "FIN": lambda ws: ws.sock.close(),
    "half": half_close,
    "RST": Raw.reset,
}


@pytest.mark.parametrize("how", CLOSINGS)
def test_gone_while_paused_the_application_gets_the_rest_and_then_the_disconnect(tmp_path: Path, how: str) -> None:
    with serving(tmp_path, **SMALL) as served, Raw(served.port, "/ws/stuck/a") as ws:
        count = fill(served, ws, "a")
        CLOSINGS[how](ws)
        served.get("/release/a")
        record = served.wait_record("a", ended="returned", disconnect=1001 if how == "close frame" else 1006)
        assert record["order"]
        # A reset may take with it what the kernel has not delivered.
        assert count >= record["messages"] >= (SMALL["received_high"] >> 15 if how == "RST" else count)


@pytest.mark.parametrize("how", CLOSINGS)
def test_gone_while_paused_an_application_that_never_reads_is_ended(tmp_path: Path, how: str) -> None:
    with serving(tmp_path, **SMALL, heartbeat_seconds=1, application_seconds=1) as served:
        with Raw(served.port, "/ws/stubborn/a") as ws:
            fill(served, ws, "a", 9)  # so few that the FIN finds room in the server's kernel
            CLOSINGS[how](ws)
            served.wait_record("a", ended="cancelled")
        assert "a" not in served.get("/sockets")


def test_an_application_that_still_takes_messages_is_not_cancelled(tmp_path: Path) -> None:
    """It takes them more slowly than `application_seconds` allows for all of them together."""
    with serving(tmp_path, application_seconds=2) as served:
        with Raw(served.port, "/ws/slow/a") as ws:
            ws.sock.sendall(b"".join(numbered(40, 1000)))
        served.wait_record("a", disconnect=1006, ended="returned", messages=40)


def test_a_paused_connection_is_not_idle(tmp_path: Path) -> None:
    """A silent client is cut off, a paused one is not: measured against each other."""
    with serving(tmp_path, **SMALL, heartbeat_seconds=0.3) as served:
        with Raw(served.port, "/ws/stuck/a") as ws:
            count = fill(served, ws, "a")
            for _ in range(3):
                with Raw(served.port, "/ws/sink/silent") as silent:
                    assert silent.receive() == (PING, b"")
                    assert silent.at_end()
            assert served.get("/sockets")["a"]["paused"]
            assert ws.receive() == (PING, b"")  # it was pinged all the same
            ws.send(PONG)  # lies behind the data in the socket
            served.get("/release/a")
            served.wait_record("a", messages=count)
            ws.send(BINARY, count.to_bytes(8))
            served.wait_record("a", messages=count + 1, order=True, ended="")
        served.wait_record("silent", disconnect=1006, ended="returned")


def test_a_client_that_answers_pings_stays(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=0.2) as served, Raw(served.port, "/ws/echo/a") as ws:
        for _ in range(3):
            with Raw(served.port, "/ws/sink/silent") as silent:
                reader = silent.in_background(silent.at_end)
                while reader.is_alive():
                    assert ws.receive() == (PING, b"")
                    ws.send(PONG)
        ws.send(TEXT, b"still here")
        assert ws.receive_other_than(PING) == (TEXT, b"still here")


def test_a_server_that_stood_still_blames_nobody(tmp_path: Path) -> None:
    beat = 1.5
    with serving(tmp_path, heartbeat_seconds=beat) as served, Raw(served.port, "/ws/echo/a") as ws:
        assert ws.receive() == (PING, b"")
        served.process.send_signal(signal.SIGSTOP)
        time.sleep(3 * beat)
        served.process.send_signal(signal.SIGCONT)
        assert served.get("/record/a")["disconnect"] is None  # it has ticked by now
        ws.send(PONG)
        ws.send(TEXT, b"still here")
        assert ws.receive_other_than(PING) == (TEXT, b"still here")


def test_the_kernel_gives_up_on_a_peer_that_acknowledges_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=7) as served, Raw(served.port, "/ws/sink/a"):
        seen = wait_until(lambda: served.get("/sockets").get("a"), PATIENCE)
        assert seen["user_timeout"] == 21_000


def test_an_application_that_closes_while_paused_is_heard(tmp_path: Path) -> None:
    with serving(tmp_path, **SMALL) as served, Raw(served.port, "/ws/close_full/a") as ws:
        fill(served, ws, "a")
        served.get("/release/a")
        assert ws.close_code() == 4429
        ws.send(CLOSE, (4429).to_bytes(2))
        assert ws.at_end()
        served.wait_record("a", messages=0, ended="returned")
