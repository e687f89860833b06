"""Reading lines from a socket or a pipe of an event loop, with bounded memory. Needs no Django."""

import asyncio
import os
import socket
from collections.abc import Callable

READ_BYTES = 1 << 16


class LineTooLongError(Exception):
    """What comes is no line of this protocol."""


class SocketLines:
    """`await next()` gives the lines of a socket. What is not asked for is not read: that slows the sender."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._limit = limit
        self._unread = bytearray()
        self._searched = 0

    async def next(self) -> bytes | None:
        """The next line without its end, or None at the end. Raises LineTooLongError."""
        loop = asyncio.get_running_loop()
        while True:
            end = self._unread.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 1]
                self._searched = 0
                return line
            if len(self._unread) > self._limit:
                raise LineTooLongError(f"a line of more than {self._limit} bytes")
            self._searched = len(self._unread)
            try:
                data = await loop.sock_recv(self._socket, READ_BYTES)
            except ConnectionError:
                return None
            if not data:
                return None
            self._unread += data


class PipeLines:
    """Calls `tell` with each line that a pipe brings, cut at `limit` characters; `drain()` fetches what waits now.

    After each full read it rests, so that a flood keeps neither the loop nor the memory.
    """

    REST_SECONDS = 0.005

    def __init__(self, descriptor: int, tell: Callable[[str], None], limit: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._tell = tell
        self._limit = limit
        self._unread = b""
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Tell what is in the pipe at this moment, an unended line too."""
        self._read()
        if self._unread:
            self._say(self._unread)
            self._unread = b""

    def close(self) -> None:
        """Stop reading and close the descriptor."""
        if self._descriptor < 0:
            return
        self._pause()
        os.close(self._descriptor)
        self._descriptor = -1

    def _pause(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._loop.remove_reader(self._descriptor)

    def _resume(self) -> None:
        self._resting = None
        self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._pause()
            return
        if len(data) == READ_BYTES and self._resting is None:
            self._pause()
            self._resting = self._loop.call_later(self.REST_SECONDS, self._resume)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._unread) > 4 * self._limit:
            self._say(self._unread)
            self._unread = b""

    def _say(self, line: bytes) -> None:
        text = line[: 4 * self._limit].decode(errors="replace").replace("\x00", "\ufffd").rstrip()
        if text:
            self._tell(text if len(text) <= self._limit else text[: self._limit - 1] + "…")
