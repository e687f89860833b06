"""A WebSocket client on a blocking socket, which does what no well-behaved client does.

`pace`: seconds that it takes a rest after each read.
"""

import base64
import contextlib
import json
import os
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

MASK = b"\x11\x22\x33\x44"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame, masked with a fixed key (all zeros where the payload is large, which costs nothing to make)."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 1 << 16 else 127
    extended = b"" if size < 126 else struct.pack("!H" if size < 1 << 16 else "!Q", size)
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short]) + extended
    if not masked:
        return head + payload
    if size > 1024:
        return head + b"\0\0\0\0" + payload
    return head + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))


class Raw:
    """`with Raw(port, "/ws/echo/a") as ws:` is through the handshake."""

    def __init__(
        self,
        port: int,
        path: str,
        *,
        headers: str = "",
        timeout: float = 30,
        receive_buffer: int = 0,
        eager: bytes = b"",
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode("latin1")
            + eager
        )
        self.pace = 0.0
        self._unread = bytearray()

    def handshake(self) -> str:
        """The head of the answer."""
        while b"\r\n\r\n" not in self._unread:
            data = self.sock.recv(4096)
            if not data:
                return self._unread.decode()
            self._unread += data
        size = self._unread.index(b"\r\n\r\n") + 4
        return self._exactly(size).decode()

    def __enter__(self) -> Self:
        self.head = self.handshake()
        assert self.head.startswith("HTTP/1.1 101"), self.head
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, opcode: int, payload: bytes = b"", **options: Any) -> None:
        """Send one frame."""
        self.sock.sendall(frame(opcode, payload, **options))

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            self._unread += data
            time.sleep(self.pace)
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. Raises EOFError at the end of the stream."""
        first, size = self._exactly(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._exactly(8))
        return first & 15, self._exactly(size)

    def receive_other_than(self, *opcodes: int) -> tuple[int, bytes]:
        """The next frame that is none of these."""
        while True:
            opcode, payload = self.receive()
            if opcode not in opcodes:
                return opcode, payload

    def close_code(self) -> int:
        """The code of the close frame that comes; other frames before it are passed over."""
        _, payload = self.receive_other_than(CONTINUATION, TEXT, BINARY, PING, PONG)
        return int.from_bytes(payload[:2])

    def at_end(self) -> bool:
        """True once the server has closed the connection; what comes before is passed over."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True

    def at_fin(self) -> bool:
        """As at_end(), but a reset in the place of an orderly end is a ConnectionResetError."""
        while self.sock.recv(1 << 16):
            pass
        return True

    def in_background(self, function: Callable[[], object]) -> threading.Thread:
        """Run it in a thread, without a time limit on the socket; the connection's end ends it."""

        def run() -> None:
            with contextlib.suppress(OSError):
                function()

        self.sock.settimeout(None)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def refusal(port: int, path: str, headers: str = "") -> str:
    """The head of the answer to a handshake that is not accepted."""
    ws = Raw(port, path, headers=headers)
    try:
        return ws.handshake()
    finally:
        ws.sock.close()


def get(port: int, path: str) -> Any:
    """The JSON that a control of the test's application answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return json.load(answer)
