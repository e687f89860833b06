"""What one connection may hold in memory, in both directions. Bookkeeping over a transport: no Django, no daphne."""

import asyncio
import contextlib
import fcntl
import struct
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

MESSAGE_OVERHEAD = 400
"""Bytes that a queued ASGI message costs beside its payload: a flood of empty frames fills memory, too."""


LARGE_READ = 1 << 16
"""The most bytes asked of a socket at once; more is not faster. Twisted pauses producers by the same number."""


@dataclass(frozen=True)
class Limits:
    """What the server allows one connection. Sizes are bytes, times seconds.

    Raises ValueError where they do not fit together.
    """

    message_bytes: int = 1 << 20
    """Largest WebSocket message from a client, text or binary, whole or in fragments; above it: close 1009."""

    received_high: int = 4 << 20
    """With this much received and not yet taken by the application, the socket is read no further..."""

    received_low: int = 1 << 20
    """...until no more than this is left."""

    unsent_mark: int = 1 << 20
    """With more than this waiting to be written, the application's send() waits."""

    unsent_bytes: int = 8 << 20
    """A WebSocket on which more than this waits nevertheless (from many tasks, as pongs) is cut off. One message of any
    size may wait beside it."""

    request_bytes: int = 16 << 20
    """Largest HTTP request body; above it: 413."""

    heartbeat_seconds: float = 20
    """A silent peer is pinged this often. Silent for three (two after the ping), or two with nothing taken: gone."""

    connect_seconds: float = 20
    """The application accepts or refuses a WebSocket within this time."""

    close_seconds: float = 5
    """For the peer's half of a closing handshake, and for what lingers after a refusal."""

    application_seconds: float = 10
    """An application whose peer is gone, and that takes no message for this long, is cancelled."""

    stop_seconds: float = 5
    """At a shutdown, applications that were told so may take this long to finish."""

    def __post_init__(self) -> None:
        if not 0 < self.received_low <= self.received_high:
            raise ValueError("received_low must be above 0 and not above received_high")
        if not LARGE_READ <= self.unsent_mark <= self.unsent_bytes:
            raise ValueError(f"unsent_mark must be at least {LARGE_READ} and not above unsent_bytes")


class Inbox:
    """The messages that an application has yet to receive(), weighed.

    `pause` is called when what waits reaches `high`, `resume` when it has then sunk to `low` or is not wanted any more.
    """

    def __init__(self, high: int, low: int, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.weight = 0
        self.paused = False
        self.taken_at = time.monotonic()
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._closed = self._ended = False
        self._high, self._low = high, low
        self._pause, self._resume = pause, resume

    def put_nowait(self, message: dict[str, Any]) -> None:
        """Queue a message. Dropped after close() and finish()."""
        if self._closed:
            return
        self._messages.put_nowait(message)
        self.weight += weigh(message)
        if not self.paused and self.weight >= self._high:
            self.paused = True
            self._pause()

    async def get(self) -> dict[str, Any]:
        """The application's receive()."""
        message = await self._messages.get()
        self.weight -= weigh(message)
        self.taken_at = time.monotonic()
        if self.weight <= self._low:
            self._go_on()
        return message

    def close(self) -> None:
        """The application wants no more of the peer's messages: forget them, and let the socket be read to its end."""
        if not self._ended:
            self._closed = True
            while not self._messages.empty():
                self._messages.get_nowait()
            self.weight = 0
            self._go_on()

    def finish(self, code: int) -> None:
        """Queue the one websocket.disconnect, behind what waits. Nothing follows it."""
        if not self._ended:
            self._ended = self._closed = True
            message = {"type": "websocket.disconnect", "code": code}
            self.weight += weigh(message)
            self._messages.put_nowait(message)
        self._go_on()

    def _go_on(self) -> None:
        if self.paused:
            self.paused = False
            self._resume()


def weigh(message: dict[str, Any]) -> int:
    """What a message costs in memory."""
    payload = message.get("bytes") or message.get("text") or b""
    return sys.getsizeof(payload) + MESSAGE_OVERHEAD


class Transport(Protocol):
    """What is used of a Twisted TCP transport."""

    connected: int
    dataBuffer: bytes  # noqa: N815
    offset: int
    _tempDataLen: int  # noqa: N815

    def getHandle(self) -> Any: ...  # noqa: N802


class Outbox:
    """What waits to be written on one transport. A Twisted push producer, so that it learns when all is written."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._written = 0
        self._largest = 0
        self._room = asyncio.Event()
        self._progress: tuple[int, float] | None = None
        self.stopped = False

    def wrote(self, size: int) -> None:
        """`size` bytes are handed to the transport now."""
        self._written += size
        self._largest = max(size, self._largest if self.waiting() else 0)

    def overflows(self, bound: int) -> bool:
        """Does more than `bound` wait, apart from one message, which may be of any size?"""
        return self.waiting() > bound + self._largest

    def waiting(self) -> int:
        """Bytes in this process that the kernel has not taken."""
        transport = self._transport
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def unsent(self) -> int:
        """Bytes that the peer's kernel has not acknowledged: waiting(), and those in the socket's own buffer."""
        return self.waiting() + (_in_kernel(self._transport.getHandle()) if self._transport.connected else 0)

    def stalled_for(self, now: float) -> float:
        """Seconds, by the clock that `now` is of, in which the peer took nothing though there was something to take."""
        unsent = self.unsent()
        taken = self._written - unsent
        if not unsent or self._progress is None or self._progress[0] != taken:
            self._progress = (taken, now)
        return now - self._progress[1]

    def excuse(self, seconds: float) -> None:
        """This process stood still for so long; see stalled_for()."""
        if self._progress is not None:
            self._progress = (self._progress[0], self._progress[1] + seconds)

    async def room(self, mark: int) -> None:
        """Return when no more than `mark` bytes (LARGE_READ or more) wait, or when the connection is over."""
        while self.waiting() > mark and not self.stopped:
            self._room.clear()
            await self._room.wait()

    def pauseProducing(self) -> None:  # noqa: N802
        """Twisted: the transport's buffer is full. room() looks at the buffer itself."""

    def resumeProducing(self) -> None:  # noqa: N802
        """Twisted: the transport's buffer is empty."""
        self._room.set()

    def stopProducing(self) -> None:  # noqa: N802
        """Twisted: the connection is over."""
        self.stopped = True
        self._room.set()


def _in_kernel(sock: Any) -> int:
    """Bytes in the socket's send queue, 0 where the platform does not tell."""
    with contextlib.suppress(OSError):
        (size,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))
        return max(0, int(size))
    return 0
