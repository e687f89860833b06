"""The plain dialect, word for word, for a client of ten lines."""

import asyncio
import hashlib
import json
import os

import pytest

from tests.harness import wire
from tests.harness.site import Server, Site
from tests.harness.waiting import wait_for
from tests.integration.conftest import Running


@pytest.fixture
def server(running: Running) -> Server:
    return running.server


async def test_word_for_word(server: Server) -> None:
    async with wire.plain(server.ws_url) as socket:
        await socket.send(b"hello ")
        assert await socket.receive() == "File chunk received"
        await socket.send(b"world\n")
        assert await socket.receive() == "File chunk received"
        await socket.send(b"file_complete")
        assert await socket.receive() == "File transfer complete"
        assert await socket.receive() == "Ready for next task"
        result = json.loads(await socket.expect("Processed data: "))
    assert (result["size"], result["sha256"]) == (12, hashlib.sha256(b"hello world\n").hexdigest())


async def test_several_files_in_a_row_and_an_empty_one(server: Server) -> None:
    async with wire.plain(server.ws_url + "?processor=word-count") as socket:
        for body, total in ((b"a b c", 3), (b"", 0), (b"d " * 5000, 5000)):
            assert json.loads(await socket.upload(body))["total"] == total


async def test_a_client_that_does_not_wait_is_answered_in_order(server: Server) -> None:
    """Two whole files are sent before the first answer is read: what is sent meanwhile waits."""
    async with wire.plain(server.ws_url + "?processor=word-count") as socket:
        for body in (b"one", b"two three"):
            await socket.send(body)
            await socket.send(b"file_complete")
        for total in (1, 2):
            await socket.expect("File chunk received")
            await socket.expect("File transfer complete")
            await socket.expect("Ready for next task")
            assert json.loads(await socket.expect("Processed data: "))["total"] == total


async def test_two_clients_at_once_never_see_each_others_data(server: Server) -> None:
    async def client(number: int) -> None:
        async with wire.plain(server.ws_url) as socket:
            for turn in range(3):
                body = f"{number}-{turn}".encode() + os.urandom(200_000)
                result = json.loads(await socket.upload(body, chunk=20_000))
                assert result["sha256"] == hashlib.sha256(body).hexdigest()

    await asyncio.gather(*(client(number) for number in range(4)))


async def test_a_result_of_any_size_comes_whole(server: Server) -> None:
    async with wire.plain(server.ws_url + "?processor=test-large-result") as socket:
        text = await socket.upload(b"x")
    assert text == "r" * 300_000


async def test_what_goes_wrong_is_said(site: Site) -> None:
    with site.server(processors="tests.processors", upload_bytes=5 << 20) as server:
        async with wire.plain(server.ws_url + "?processor=nonsense") as socket:
            await socket.send(b"x")
            assert "no processor nonsense" in await socket.expect("Processing failed: ")
        async with wire.plain(server.ws_url + "?processor=test-fails") as socket:
            await socket.send(b"x")
            await socket.expect("File chunk received")
            await socket.send(b"file_complete")
            await socket.expect("File transfer complete")
            await socket.expect("Ready for next task")
            assert await socket.expect("Processing failed: ") == "Row 17 has 2 columns, expected 3."
        async with wire.plain(server.ws_url) as socket:
            for _ in range(5):
                await socket.send(bytes(1 << 20))
                await socket.expect("File chunk received", timeout=20)
            await socket.send(b"x")
            await socket.expect("Processing failed: The file is larger")
        await wait_for(lambda: not list((site.var / "uploads").rglob("*.part")))


async def test_a_client_that_leaves_leaves_nothing(site: Site) -> None:
    with site.server(worker=False) as server:
        async with wire.plain(server.ws_url) as socket:
            await socket.send(bytes(1000))
            await socket.expect("File chunk received")
            assert list((site.var / "uploads").rglob("*.part"))
        await wait_for(lambda: not list((site.var / "uploads").rglob("*.part")))
        await wait_for(lambda: site.rows("select count(*) from uploads_upload where state = 'receiving'") == [(0,)])
