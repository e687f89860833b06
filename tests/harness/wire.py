"""A small client of headrace.v1 and of the plain dialect, for tests.

Independent of uploads/ on purpose: it packs its frames itself, so that the server is tested against a second reading of
docs/protocol.md.
"""

import asyncio
import hashlib
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

Message = dict[str, Any]
Source = bytes | Path

VERSION = "headrace.v1"
TIMEOUT = 10.0


def pack(ref: int, offset: int, payload: bytes, *, crc32: int | None = None) -> bytes:
    """A data frame: u32 ref, u64 offset, where given u32 crc32, payload; big-endian."""
    head = struct.pack(">IQ", ref, offset)
    return head + (b"" if crc32 is None else struct.pack(">I", crc32)) + payload


def _reader(source: Source) -> io.BufferedIOBase:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _size(source: Source) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def sha256(source: Source) -> str:
    """The hex digest of bytes or of a file."""
    with _reader(source) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass
class Sending:
    """One file on this socket, as the server announced it."""

    ref: int
    upload: str
    token: str
    opened: Message
    acked: int
    edge: int
    crc32: bool
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Wire:
    """One socket. A message that nobody has expected yet waits in `inbox`; `history` has all that ever came.

    A ping of the server is answered by itself, unless `answers_pings` is set to False.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: Message = {}
        self.inbox: list[Message] = []
        self.history: list[Message] = []
        self.answers_pings = True
        self.sendings: dict[int, Sending] = {}
        self._news = asyncio.Condition()
        self._closed = False
        self._next_ref = 0
        self._task = asyncio.create_task(self._read())

    @property
    def limits(self) -> Message:
        limits: Message = self.welcome["limits"]
        return limits

    def take_ref(self) -> int:
        """The next ref that was not used yet, for a message that a test sends by itself."""
        self._next_ref += 1
        return self._next_ref - 1

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one JSON message; a field that is None is sent as null."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is: text for str, binary for bytes."""
        await self.socket.send(frame)

    async def chunk(self, ref: int, offset: int, payload: bytes, *, crc32: bool = False) -> None:
        """Send one data frame."""
        await self.socket.send(pack(ref, offset, payload, crc32=zlib.crc32(payload) if crc32 else None))

    async def expect(self, kind: str, *, timeout: float = TIMEOUT, **fields: Any) -> Message:
        """Wait for a message of this type with these fields and take it out of the inbox; others stay there.

        Raises AssertionError when it does not come in time, when the socket closes, and at once when an `error` lies in
        the inbox that is not what is expected here.
        """

        def wanted() -> Message | None:
            fits = (m for m in self.inbox if m["type"] == kind and all(m.get(name) == fields[name] for name in fields))
            return next(fits, None)

        def settled() -> bool:
            return bool(wanted()) or self._closed or any(message["type"] == "error" for message in self.inbox)

        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(settled)
        found = wanted()
        if found is None:
            raise AssertionError(f"no {kind} {fields or ''} came within {timeout:g} s; {self._situation()}")
        self.inbox.remove(found)
        return found

    async def expect_nothing(self, kind: str, seconds: float = 0.3, **fields: Any) -> None:
        """Fail if such a message comes within that time."""
        try:
            message = await self.expect(kind, timeout=seconds, **fields)
        except AssertionError:
            return
        raise AssertionError(f"unexpected: {message}")

    async def expect_close(self, code: int | None = None, timeout: float = TIMEOUT) -> int:
        """Wait until the server has closed the socket. Returns the close code, which must be `code` where given."""
        async with asyncio.timeout(timeout):
            await self.socket.wait_closed()
        seen = self.socket.close_code or 1006
        assert code is None or seen == code, f"closed with {seen} {self.socket.close_reason!r}, not {code}"
        return seen

    async def open(self, name: str = "data.bin", size: int | None = None, **fields: Any) -> Sending:
        """upload.open with the next ref, up to `upload.opened`."""
        ref = self.take_ref()
        await self.send("upload.open", ref=ref, name=name, size=size, **fields)
        return await self._opened(ref)

    async def resume(self, upload: str, *, token: str | None = None, **fields: Any) -> Sending:
        """upload.resume with the next ref, up to `upload.opened`; `acked` is where to go on."""
        ref = self.take_ref()
        if token is not None:
            fields["token"] = token
        await self.send("upload.resume", ref=ref, upload=upload, **fields)
        return await self._opened(ref)

    async def send_file(self, sending: Sending, source: Source, *, until: int | None = None, chunk: int = 0) -> int:
        """Send from the acked offset to `until` (the end), never past the window. Returns the offset reached."""
        chunk = chunk or self.limits["chunk_bytes"]
        end = _size(source) if until is None else until
        offset = sending.acked
        with _reader(source) as stream:
            stream.seek(offset)
            while offset < end:
                room = min(chunk, end - offset, sending.edge - offset)
                if room <= 0:
                    await self._edge_moves(sending)
                    continue
                payload = stream.read(room)
                await self.chunk(sending.ref, offset, payload, crc32=sending.crc32)
                offset += len(payload)
        return offset

    async def upload(self, source: Source, name: str = "", *, chunk: int = 0, **fields: Any) -> Message:
        """Open, send, finish with the digest; returns `upload.stored`. More fields go into upload.open."""
        name = name or (source.name if isinstance(source, Path) else "data.bin")
        sending = await self.open(name, fields.pop("size", _size(source)), **fields)
        return await self.finish(sending, source, chunk=chunk)

    async def finish(self, sending: Sending, source: Source, *, chunk: int = 0) -> Message:
        """Send what is missing, upload.finish, and wait for `upload.stored`."""
        await self.send_file(sending, source, chunk=chunk)
        await self.send("upload.finish", ref=sending.ref, size=_size(source), sha256=sha256(source))
        return await self.expect("upload.stored", ref=sending.ref, timeout=60)

    async def wait_acked(self, sending: Sending, offset: int, timeout: float = TIMEOUT) -> None:
        """Wait until the server has stored everything below `offset`."""
        async with asyncio.timeout(timeout):
            while sending.acked < offset:
                await self._edge_moves(sending)

    async def finished_job(self, job: str, timeout: float = 30) -> Message:
        """Wait for the last event of a job this socket follows: succeeded, failed or cancelled."""
        async with asyncio.timeout(timeout):
            while True:
                event = await self.expect("job.event", job=job, timeout=timeout)
                if event["event"] in ("succeeded", "failed", "cancelled"):
                    return event

    async def close(self) -> None:
        """Close in an orderly way."""
        await self.socket.close()
        await self._task

    def stop_reading(self) -> None:
        """Read nothing more from the network, as a stalled client does."""
        self.socket.transport.pause_reading()

    def cut(self) -> None:
        """Drop the TCP connection without a word, as a lost network does."""
        self.socket.transport.abort()

    async def _opened(self, ref: int) -> Sending:
        await self.expect("upload.opened", ref=ref)
        return self.sendings[ref]

    async def _edge_moves(self, sending: Sending) -> None:
        sending.moved.clear()
        if self._closed:
            raise AssertionError(f"the socket closed in mid-file; {self._situation()}")
        ended = [message for message in self.inbox if message.get("ref") == sending.ref and _ends(message)]
        if ended:
            raise AssertionError(f"the upload ended in mid-file: {ended}")
        async with asyncio.timeout(60):
            await sending.moved.wait()

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                assert isinstance(frame, str), "the server sent a binary frame"
                await self._take(json.loads(frame))
        except ConnectionClosed:
            pass
        finally:
            self._closed = True
            for sending in self.sendings.values():
                sending.moved.set()
            async with self._news:
                self._news.notify_all()

    async def _take(self, message: Message) -> None:
        self.history.append(message)
        if message["type"] == "ping" and self.answers_pings:
            await self.send("pong", id=message["id"])
            return
        self._follow(message)
        async with self._news:
            self.inbox.append(message)
            self._news.notify_all()

    def _follow(self, message: Message) -> None:
        ref = message.get("ref")
        if message["type"] == "upload.opened":
            offset, window = message["offset"], message["window"]
            self.sendings[message["ref"]] = Sending(
                ref=message["ref"],
                upload=message["upload"],
                token=message["token"],
                opened=message,
                acked=offset,
                edge=offset + window,
                crc32=message.get("checksum") == "crc32",
            )
        elif ref in self.sendings:
            sending = self.sendings[ref]
            if message["type"] == "upload.ack":
                sending.acked = max(sending.acked, message["offset"])
                sending.edge = max(sending.edge, message["offset"] + message["window"])
            sending.moved.set()

    def _situation(self) -> str:
        closed = f"closed with {self.socket.close_code} {self.socket.close_reason!r}" if self._closed else "open"
        return f"the socket is {closed}; inbox: {self.inbox[-10:]}"


def _ends(message: Message) -> bool:
    return message["type"] in ("upload.detached", "upload.aborted") or (
        message["type"] == "error" and message.get("ended", False)
    )


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: str = "",
    cookie: str = "",
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocol: str = VERSION,
    welcome: bool = True,
) -> AsyncIterator[Wire]:
    """A Wire on `url`, welcomed unless `welcome=False`.

    Args:
        token: an API token, sent as Authorization.
        cookie: the value of the session cookie; it counts only with an allowed `origin`.
    """
    wire = Wire(await _websocket(url, token, cookie, origin, headers, [Subprotocol(subprotocol)]))
    try:
        if welcome:
            wire.welcome = await wire.expect("welcome")
        yield wire
    finally:
        await wire.close()


class Plain:
    """The plain dialect: binary out, text in, and nothing to know."""

    FINISH = b"file_complete"

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, chunk: bytes) -> None:
        """Send one chunk; expect("File chunk received") is the caller's."""
        await self.socket.send(chunk)

    async def receive(self, timeout: float = TIMEOUT) -> str:
        """The next text."""
        async with asyncio.timeout(timeout):
            text = await self.socket.recv()
        assert isinstance(text, str), "the server sent a binary frame"
        return text

    async def expect(self, text: str, timeout: float = TIMEOUT) -> str:
        """The next text, which must begin with `text`. Returns the rest of it."""
        seen = await self.receive(timeout)
        assert seen.startswith(text), f"expected {text!r}, got {seen[:500]!r}"
        return seen.removeprefix(text)

    async def upload(self, source: Source, *, chunk: int = 1 << 16, timeout: float = 30) -> str:
        """One whole file, word for word as the dialect says. Returns what follows "Processed data: "."""
        with _reader(source) as stream:
            while payload := stream.read(chunk):
                await self.send(payload)
                await self.expect("File chunk received")
        await self.send(self.FINISH)
        await self.expect("File transfer complete")
        await self.expect("Ready for next task")
        return await self.expect("Processed data: ", timeout)


@asynccontextmanager
async def plain(
    url: str, *, token: str = "", cookie: str = "", origin: str | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Plain]:
    """A client that offers no subprotocol."""
    socket = await _websocket(url, token, cookie, origin, headers, None)
    try:
        yield Plain(socket)
    finally:
        await socket.close()


async def _websocket(
    url: str,
    token: str,
    cookie: str,
    origin: str | None,
    headers: Mapping[str, str] | None,
    subprotocols: list[Subprotocol] | None,
) -> ClientConnection:
    more = dict(headers or {})
    if token:
        more["Authorization"] = f"Bearer {token}"
    if cookie:
        more["Cookie"] = f"sessionid={cookie}"
    return await websocket(
        url,
        origin=None if origin is None else Origin(origin),
        additional_headers=more,
        subprotocols=subprotocols,
        compression=None,
        max_size=None,
        ping_interval=None,  # only the protocol's own pings: a test that stalls a peer must not be cut off by ours
        proxy=None,
        user_agent_header=None,
    )
