"""The test client against a server of a few lines: it must keep to the window, and notice what goes wrong."""

import asyncio
import hashlib
import json
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.harness import wire

CHUNK = 1000
WINDOW = 2500


class Receiver:
    """A server that stores what it gets, and moves the edge by WINDOW only when it has slept."""

    def __init__(self) -> None:
        self.stored = bytearray()
        self.furthest_past_ack = 0
        self.headers: dict[str, str] = {}

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers = dict(socket.request.headers.raw_items())
        await self._say(socket, "welcome", limits={"chunk_bytes": CHUNK})
        await self._say(socket, "ping", id=1)
        async for frame in socket:
            if isinstance(frame, bytes):
                await self._data(socket, frame)
            else:
                await self._text(socket, json.loads(frame))

    async def _data(self, socket: ServerConnection, frame: bytes) -> None:
        ref, offset = struct.unpack_from(">IQ", frame)
        (crc,) = struct.unpack_from(">I", frame, 12)
        payload = frame[16:]
        assert zlib.crc32(payload) == crc
        assert offset == len(self.stored)
        assert len(payload) <= CHUNK
        acked = len(self.stored) // WINDOW * WINDOW
        self.furthest_past_ack = max(self.furthest_past_ack, offset + len(payload) - acked)
        self.stored += payload
        if len(self.stored) % WINDOW == 0:
            await asyncio.sleep(0.01)
            await self._say(socket, "upload.ack", ref=ref, offset=len(self.stored), window=WINDOW)

    async def _text(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        ref = message.get("ref")
        match message["type"]:
            case "upload.open" | "upload.resume":
                offset = len(self.stored) // WINDOW * WINDOW
                del self.stored[offset:]
                fields = {"upload": "u", "token": "t", "offset": offset, "window": WINDOW, "checksum": "crc32"}
                await self._say(socket, "upload.opened", ref=ref, **fields)
            case "upload.finish":
                digest = hashlib.sha256(self.stored).hexdigest()
                assert (message["size"], message["sha256"]) == (len(self.stored), digest)
                await self._say(socket, "upload.stored", ref=ref, upload="u", size=len(self.stored), job="j")
                for event in ("queued", "succeeded"):
                    await self._say(socket, "job.event", job="j", event=event)
            case "fail":
                await self._say(socket, "error", code="too_large", ended=True, ref=ref)
            case "leave":
                await socket.close(4400, "enough")
            case "pong":
                await self._say(socket, "thanks", id=message["id"])

    async def _say(self, socket: ServerConnection, kind: str, **fields: Any) -> None:
        await socket.send(json.dumps({"type": kind, **fields}))


@asynccontextmanager
async def served(receiver: Receiver) -> AsyncIterator[str]:
    async with serve(receiver, "127.0.0.1", 0, subprotocols=[Subprotocol(wire.VERSION)]) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


async def test_an_upload_keeps_to_chunk_and_window(tmp_path: Path) -> None:
    receiver = Receiver()
    data = bytes(range(256)) * 50
    path = tmp_path / "data.bin"
    path.write_bytes(data)
    async with served(receiver) as url, wire.connect(url, token="secret", cookie="c", origin="http://here") as client:
        assert client.socket.subprotocol == wire.VERSION
        await client.expect("thanks", id=1)
        stored = await client.upload(path, checksum="crc32")
        assert stored["size"] == len(data)
        assert (await client.finished_job(stored["job"]))["event"] == "succeeded"
    assert receiver.stored == data
    assert receiver.furthest_past_ack == WINDOW
    assert receiver.headers["Authorization"] == "Bearer secret"
    assert receiver.headers["Cookie"] == "sessionid=c"
    assert receiver.headers["Origin"] == "http://here"


async def test_a_cut_upload_is_resumed_at_the_acked_offset() -> None:
    receiver = Receiver()
    data = bytes(7777)
    async with served(receiver) as url:
        async with wire.connect(url) as client:
            sending = await client.open(size=len(data))
            assert await client.send_file(sending, data, until=5700) == 5700
            await client.wait_acked(sending, 5000)
            client.cut()
            assert await client.expect_close() == 1006
        async with wire.connect(url) as client:
            sending = await client.resume(sending.upload, token=sending.token)
            assert sending.acked == 5000
            assert (await client.finish(sending, data))["size"] == len(data)


async def test_expect_fails_at_once_on_an_error_and_on_a_close() -> None:
    async with asyncio.timeout(10), served(Receiver()) as url, wire.connect(url) as client:
        await client.send("fail", ref=3)
        with pytest.raises(AssertionError, match=r"no upload\.stored(?s:.*)too_large"):
            await client.expect("upload.stored", timeout=30)
        assert (await client.expect("error", ref=3))["code"] == "too_large"
        await client.send("leave")
        with pytest.raises(AssertionError, match="closed with 4400 'enough'"):
            await client.expect("upload.stored", timeout=30)
        with pytest.raises(AssertionError, match="closed with 4400 'enough', not 1000"):
            await client.expect_close(1000)


async def test_expect_waits_no_longer_than_told_and_keeps_what_it_did_not_want() -> None:
    async with served(Receiver()) as url, wire.connect(url) as client:
        with pytest.raises(AssertionError, match=r"no pong .*within 0\.1 s"):
            await client.expect("pong", timeout=0.1)
        await client.expect("thanks", id=1)
        await client.expect_nothing("thanks", 0.1)
        await client.send("pong", id=2)
        with pytest.raises(AssertionError, match="unexpected"):
            await client.expect_nothing("thanks", 5)


async def test_plain_speaks_word_for_word() -> None:
    async def answer(socket: ServerConnection) -> None:
        assert socket.subprotocol is None
        async for frame in socket:
            if frame != b"file_complete":
                await socket.send("File chunk received")
                continue
            for text in ("File transfer complete", "Ready for next task", "Processed data: fine"):
                await socket.send(text)

    async with serve(answer, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        async with wire.plain(url) as client:
            assert await client.upload(b"abc" * 1000, chunk=1000) == "fine"
            await client.send(b"x")
            with pytest.raises(AssertionError, match="expected 'Ready', got 'File chunk received'"):
                await client.expect("Ready")
