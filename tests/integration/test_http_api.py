"""The HTTP API of a running server: one's own things, downloads that cannot hurt, nothing of anybody else's."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil
import pytest

from tests.harness import wire
from tests.integration.conftest import Running


@dataclass
class Person:
    """Somebody who is logged in, with a job of theirs."""

    cookie: str
    http: aiohttp.ClientSession
    job: str = ""
    upload: str = ""
    token: str = ""

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        """(status, headers, body) of a GET."""
        async with self.http.get(path, headers=headers) as answer:
            body = await answer.read()
            return answer.status, answer.headers, body

    async def json(self, path: str) -> Any:
        async with self.http.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def person(running: Running, name: str) -> Person:
    cookie = running.site.login(name)
    http = aiohttp.ClientSession(running.server.url, cookies={"sessionid": cookie})
    return Person(cookie, http)


@pytest.fixture
async def ada(running: Running) -> AsyncIterator[Person]:
    """Ada has a file named to do harm, processed into an artifact."""
    ada = await person(running, "ada")
    async with ada.http, wire.connect(running.ws_url, cookie=ada.cookie, origin=running.server.url) as socket:
        name = 'evil".html\r\nX: y\u202e<script>'
        stored = await socket.upload(b"<script>alert(1)</script>", name, processor="partials", params={"seconds": 0})
        await socket.finished_job(stored["job"])
        ada.job, ada.upload, ada.token = stored["job"], stored["upload"], socket.sendings[0].token
        yield ada


async def test_the_history_and_one_job(ada: Person) -> None:
    listed = await ada.json("/api/v1/jobs?state=succeeded&limit=1")
    assert [job["job"] for job in listed["jobs"]] == [ada.job]
    more = await ada.json(f"/api/v1/jobs?before={ada.job}&limit=200")
    assert ada.job not in [job["job"] for job in more["jobs"]]
    one = await ada.json(f"/api/v1/jobs/{ada.job}")
    assert (one["type"], one["state"], one["upload"], one["ahead"]) == ("job.state", "succeeded", ada.upload, 0)
    events = (await ada.json(f"/api/v1/jobs/{ada.job}/events?after=1"))["events"]
    assert [event["seq"] for event in events] == list(range(2, one["seq"] + 1))


async def test_downloads_are_attachments_in_a_sandbox(ada: Person, running: Running) -> None:
    one = await ada.json(f"/api/v1/jobs/{ada.job}")
    for path, body in (
        (f"/api/v1/uploads/{ada.upload}/file", b"<script>alert(1)</script>"),
        (f"/api/v1/uploads/{ada.upload}/file?inline=1", b"<script>alert(1)</script>"),
        (one["artifacts"][0]["url"], b"city,population"),
    ):
        status, headers, seen = await ada.get(path)
        assert status == 200
        assert seen.startswith(body)
        assert int(headers["Content-Length"]) == len(seen)
        assert headers["Content-Disposition"].startswith("attachment")
        assert "X" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        again, _, _ = await ada.get(path, **{"If-None-Match": headers["ETag"]})
        assert again == 304


async def test_a_large_result_is_a_file(ada: Person, running: Running) -> None:
    async with wire.connect(running.ws_url, cookie=ada.cookie, origin=running.server.url) as socket:
        stored = await socket.upload(b"x", processor="test-large-result")
        ended = await socket.finished_job(stored["job"])
    assert (ended["result"], ended["result_url"]) == (None, f"/api/v1/jobs/{stored['job']}/result")
    assert await ada.json(ended["result_url"]) == "r" * 300_000


async def test_what_is_anothers_is_404_without_the_token(ada: Person, running: Running) -> None:
    one = await ada.json(f"/api/v1/jobs/{ada.job}")
    paths = [
        f"/api/v1/jobs/{ada.job}",
        f"/api/v1/jobs/{ada.job}/events",
        f"/api/v1/jobs/{ada.job}/result",
        f"/api/v1/uploads/{ada.upload}/file",
        one["artifacts"][0]["url"],
        f"/jobs/{ada.job}/",
    ]
    bob = await person(running, "bob")
    nobody = aiohttp.ClientSession(running.server.url)
    async with bob.http, nobody:
        assert (await bob.json("/api/v1/jobs"))["jobs"] == []
        for path in paths:
            assert (await bob.get(path))[0] == 404, path
            assert (await bob.get(path, **{"X-Upload-Token": "guess"}))[0] == 404, path
            async with nobody.get(path) as answer:
                assert answer.status == 404, path
        for path in (paths[0], paths[1], paths[3], paths[4]):
            assert (await bob.get(path, **{"X-Upload-Token": ada.token}))[0] == 200, path
            assert (await bob.get(f"{path}?token={ada.token}"))[0] == 200, path
    assert ada.token not in running.server.log()


async def test_errors_are_json_with_a_code(ada: Person) -> None:
    for path, status in (
        ("/api/v1/jobs/00000000-0000-4000-8000-000000000000", 404),
        ("/api/v1/jobs?state=nonsense", 422),
        ("/api/v1/jobs?limit=100000", 422),
        ("/api/v1/jobs?before=nonsense", 422),
    ):
        seen, headers, body = await ada.get(path)
        assert seen == status
        assert headers["Content-Type"].startswith("application/json")
        assert b"Traceback" not in body
    bad = await ada.get("/api/v1/jobs", Authorization="Bearer nonsense")
    assert bad[0] == 401


async def test_unfinished_uploads_are_listed_for_their_owner(ada: Person, running: Running) -> None:
    async with wire.connect(running.ws_url, cookie=ada.cookie, origin=running.server.url) as socket:
        sending = await socket.open("half.bin", 100_000, modified="2026-01-31T12:00:00Z")
        await socket.send_file(sending, os.urandom(100_000), until=70_000)
        await socket.wait_acked(sending, 70_000)
    [half] = [u for u in (await ada.json("/api/v1/uploads"))["uploads"] if u["upload"] == sending.upload]
    assert (half["name"], half["size"], half["offset"]) == ("half.bin", 100_000, 70_000)
    assert half["modified"].startswith("2026-01-31T12:00:00")


async def test_a_download_is_never_whole_in_memory(ada: Person, running: Running) -> None:
    """The peer reads slowly; the server must not read ahead of it without bound."""
    size = 200 << 20
    async with wire.connect(running.ws_url, cookie=ada.cookie, origin=running.server.url) as socket:
        stored = await socket.upload(bytes(size), processor="test-large-result")
    process = psutil.Process(running.server.pid)
    before = process.memory_info().rss
    async with ada.http.get(f"/api/v1/uploads/{stored['upload']}/file") as answer:
        total = 0
        peak = before
        for _ in range(20):  # the peer reads nothing for a while
            await asyncio.sleep(0.1)
            peak = max(peak, process.memory_info().rss)
        async for block in answer.content.iter_chunked(1 << 20):
            total += len(block)
            peak = max(peak, process.memory_info().rss)
    assert total == size
    assert peak - before < 64 << 20, f"grew by {(peak - before) >> 20} MiB"
