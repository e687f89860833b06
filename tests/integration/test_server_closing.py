"""config/server.py: limits, broken frames, refused handshakes; each close arrives, and nothing of it is a traceback."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import autobahn.websocket
import pytest

from tests.harness.waiting import wait_until
from tests.integration.raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame, refusal
from tests.integration.serving import PATIENCE, Served, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

LIMIT = 100_000


def fragments(total: int, size: int) -> list[bytes]:
    """One text message in fragments."""
    sizes = [min(size, total - start) for start in range(0, total, size)]
    opcodes = [TEXT] + [CONTINUATION] * (len(sizes) - 1)
    return [
        frame(opcode, b"x" * length, fin=number == len(sizes) - 1)
        for number, (opcode, length) in enumerate(zip(opcodes, sizes, strict=True))
    ]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for what needs no limits of its own. Nothing may go wrong in it."""
    with serving(tmp_path_factory.mktemp("served"), message_bytes=LIMIT) as server:
        yield server


def test_a_message_may_be_as_large_as_the_limit(served: Served) -> None:
    with Raw(served.port, "/ws/echo/a") as ws:
        for opcode in (BINARY, TEXT):
            body = b"\x55" * LIMIT
            ws.send(opcode, body)
            assert ws.receive() == (opcode, body)
        ws.sock.sendall(b"".join(fragments(LIMIT, 7_000)))
        assert ws.receive() == (TEXT, b"x" * LIMIT)
        ws.sock.sendall(b"".join(fragments(500, 1)))
        assert ws.receive() == (TEXT, b"x" * 500)


TOO_LARGE = {
    "binary": [frame(BINARY, bytes(LIMIT + 1))],
    "text": [frame(TEXT, b"x" * (LIMIT + 1))],
    "fragmented": fragments(LIMIT + 1, 1000),
    "huge": [frame(BINARY, bytes(8 << 20))],
    "only announced": [b"\x82\xff" + (1 << 62).to_bytes(8) + b"\0\0\0\0"],
}
BROKEN = {
    "unmasked": (frame(TEXT, b"plain", masked=False), 1002),
    "reserved bit": (frame(TEXT, b"x", rsv=4), 1002),
    "reserved opcode": (frame(3, b"x"), 1002),
    "reserved control opcode": (frame(11, b"x"), 1002),
    "long control frame": (frame(PING, b"x" * 126), 1002),
    "endless control frame": (b"\x8a\xff" + (1 << 40).to_bytes(8) + b"\0\0\0\0" + bytes(8 << 20), 1002),
    "fragmented control frame": (frame(PING, b"x", fin=False), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "length not minimal": (b"\x82\xfe\x00\x05\0\0\0\0hello", 1002),
    "close code out of range": (frame(CLOSE, (999).to_bytes(2)), 1002),
    "garbage": (b"\xff\xff" + os.urandom(200_000), 1002),
}


def assert_closed(ws: Raw, code: int) -> None:
    """The close frame arrived whole, and then an orderly end of the stream."""
    assert ws.close_code() == code
    ws.send(CLOSE, code.to_bytes(2))
    assert ws.at_fin()


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_message_above_the_limit_is_closed_with_1009(served: Served, kind: str) -> None:
    name = "large-" + kind.replace(" ", "-")
    with Raw(served.port, f"/ws/sink/{name}") as ws:
        before = served.reset_peak()
        for part in TOO_LARGE[kind]:
            ws.sock.sendall(part)
        assert_closed(ws, 1009)
        served.wait_record(name, disconnect=1009, messages=0, ended="returned")
        assert served.memory("VmHWM") - before < 16 << 20


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_frame_is_a_clean_close(served: Served, kind: str) -> None:
    data, code = BROKEN[kind]
    name = "broken-" + kind.replace(" ", "-")
    with Raw(served.port, f"/ws/sink/{name}") as ws:
        before = served.reset_peak()
        ws.send(BINARY, b"good")
        ws.sock.sendall(data + frame(BINARY, b"after"))
        assert_closed(ws, code)
        served.wait_record(name, disconnect=code, messages=1, ended="returned")
        served.assert_no_traceback()
        assert served.memory("VmHWM") - before < 16 << 20


def test_a_client_that_goes_on_after_the_close_frame_is_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path, message_bytes=LIMIT, close_seconds=3) as served, Raw(served.port, "/ws/sink/a") as ws:
        before = served.reset_peak()
        ws.send(TEXT, b"x", rsv=2)
        assert ws.close_code() == 1002

        def push() -> None:
            while True:
                ws.sock.sendall(bytes(1 << 16))

        pushing = ws.in_background(push)
        served.wait_record("a", disconnect=1002, ended="returned")
        pushing.join(PATIENCE)
        assert not pushing.is_alive()
        assert served.memory("VmHWM") - before < 8 << 20


def test_the_close_frame_follows_what_was_still_to_be_sent(tmp_path: Path) -> None:
    """The application is in the middle of 20 MiB when the client breaks the protocol."""
    with serving(tmp_path) as served, Raw(served.port, "/ws/large/a") as ws:
        wait_until(lambda: served.get("/sockets")["a"]["waiting"] > 1 << 20, PATIENCE)
        ws.send(TEXT, b"plain", masked=False)
        served.wait_record("a", disconnect=1002, ended="returned")
        opcode, text = ws.receive()
        assert (opcode, len(text)) == (TEXT, 20 << 20)
        assert_closed(ws, 1002)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4429])
def test_the_application_closes_with_any_code(served: Served, code: int) -> None:
    with Raw(served.port, f"/ws/close/{code}") as ws:
        opcode, payload = ws.receive()
        assert (opcode, payload) == (CLOSE, code.to_bytes(2) + b"as asked")
        ws.send(CLOSE, payload)
        assert ws.at_end()
        served.wait_record(str(code), ended="returned", disconnect=code)


def test_an_application_that_returns_leaves_no_open_connection(served: Served) -> None:
    with Raw(served.port, "/ws/leave/a") as ws:
        assert_closed(ws, 1000)


def test_an_application_that_fails_is_closed_with_1011(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        with Raw(served.port, "/ws/fail/a") as ws:
            assert_closed(ws, 1011)
        served.process.wait_log("the application's own mistake", PATIENCE)
        log = served.process.log()
        assert "twisted" not in log
        served.process.log_path.write_text(log.replace("Traceback", "its traceback"))


def test_refused_handshakes(tmp_path: Path) -> None:
    with serving(tmp_path, connect_seconds=1, application_seconds=1) as served:
        assert " 403 " in refusal(served.port, "/ws/deny/a")
        assert " 403 " in refusal(served.port, "/ws/mute/b")
        served.wait_record("b", disconnect=1006, ended="returned")
        assert " 400 " in refusal(served.port, "/ws/echo/c", "Sec-WebSocket-Protocol: \xe9\r\n")
        assert served.get("/record/c")["loop"] is None
        with socket.create_connection(("127.0.0.1", served.port), 30) as sock:
            sock.sendall(b"GET /ws/echo/d HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            assert b" 400 " in sock.recv(4096)
        served.assert_no_traceback()


def test_data_before_the_handshake_is_answered_ends_the_connection(tmp_path: Path) -> None:
    with serving(tmp_path, connect_seconds=60) as served:
        ws = Raw(served.port, "/ws/mute/a")
        wait_until(lambda: served.get("/record/a")["loop"], PATIENCE)
        ws.sock.sendall(frame(TEXT, b"eager"))
        assert ws.at_end()
        ws.sock.close()
        served.wait_record("a", disconnect=1006, ended="returned")
        ws = Raw(served.port, "/ws/sink/b", eager=frame(TEXT, b"eager"))  # in one packet with the handshake
        assert ws.at_end()
        ws.sock.close()
        served.wait_record("b", disconnect=1006, messages=0)


def test_nothing_is_compressed_and_masks_are_undone_in_native_code(served: Served) -> None:
    assert autobahn.websocket.USES_NVX
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    with Raw(served.port, "/ws/echo/b", headers=offer) as ws:
        assert "extensions" not in ws.head.lower()
        assert "server:" not in ws.head.lower()
        for size in (1, 3, 4, 125, 126, 127, 1000, 65_535, 65_536, 99_999):
            body, key = os.urandom(size), os.urandom(4)
            masked = bytes(byte ^ key[i % 4] for i, byte in enumerate(body))
            ws.sock.sendall(frame(BINARY, body)[: -size - 4] + key + masked)
            assert ws.receive() == (BINARY, body)
        ws.send(PING, b"hello")
        assert ws.receive() == (PONG, b"hello")
