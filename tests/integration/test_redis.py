"""Server and two workers as separate processes over Redis; the layer may go away and come back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import wire
from tests.harness.services import RedisServer, redis_server
from tests.harness.site import Server, Site


@dataclass(frozen=True)
class Spread:
    """A server without a worker, and two workers that hardly poll: news must come over Redis."""

    server: Server
    redis: RedisServer


@pytest.fixture(scope="module", params=["pubsub", "core"])
def spread(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Spread]:
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        site = Site(
            tmp_path_factory.mktemp("spread"),
            template=sqlite_template,
            redis_url=redis.url,
            channel_layer=request.param,
            poll_seconds=20,
            processors="tests.processors",
        )
        server = stack.enter_context(site.server(worker=False))
        for _ in range(2):
            stack.enter_context(site.worker())
        yield Spread(server, redis)


@pytest.mark.timeout(180)
async def test_the_worker_answers_the_socket_that_sent_the_file(spread: Spread) -> None:
    async with wire.connect(spread.server.ws_url) as socket:
        for _ in range(5):
            stored = await socket.upload(b"a b c", processor="word-count")
            assert (await socket.finished_job(stored["job"], timeout=6))["result"]["total"] == 3


async def test_another_socket_follows_and_replays(spread: Spread) -> None:
    async with wire.connect(spread.server.ws_url) as socket, wire.connect(spread.server.ws_url) as watcher:
        stored = await socket.upload(b"x", processor="partials", params={"seconds": 2, "count": 10})
        token = socket.sendings[0].token
        await watcher.send("job.subscribe", job=stored["job"], token=token)
        await watcher.expect("job.state")
        ended = await watcher.finished_job(stored["job"], timeout=15)
        durable = [m["seq"] for m in watcher.history if m["type"] == "job.event" and m["event"] != "progress"]
        assert durable == list(range(1, ended["seq"] + 1))
        assert [m for m in watcher.history if m.get("event") == "progress"]
    async with wire.connect(spread.server.ws_url) as late:
        await late.send("job.subscribe", job=stored["job"], after=ended["seq"] - 2, token=token)
        assert (await late.expect("job.state"))["state"] == "succeeded"
        assert (await late.finished_job(stored["job"]))["seq"] == ended["seq"]


@pytest.mark.timeout(120)
async def test_redis_restarts_under_sockets_and_workers(spread: Spread) -> None:
    async with wire.connect(spread.server.ws_url) as socket:
        for down in (0.2, 4):
            spread.redis.restart(down)
            stored = await socket.upload(b"a b", processor="word-count")
            ended = await socket.finished_job(stored["job"], timeout=40)
            assert ended["event"] == "succeeded"
        # And news is quick again: not by polling (20 s), not by the heartbeat (20 s).
        await _quick_again(socket)


async def _quick_again(socket: wire.Wire) -> None:
    for _ in range(10):
        stored = await socket.upload(b"a b", processor="word-count")
        try:
            await socket.finished_job(stored["job"], timeout=3)
        except TimeoutError:
            continue
        return
    raise AssertionError("news never got quick again")


@pytest.mark.timeout(120)
async def test_without_redis_jobs_are_found_by_polling(make_site: Callable[..., Site], own_redis: RedisServer) -> None:
    site = make_site(redis=own_redis, poll_seconds=1, heartbeat_seconds=2)
    own_redis.stop()
    with site.server(worker=False) as server, site.worker():
        async with wire.connect(server.ws_url) as socket:
            stored = await socket.upload(b"a b", processor="word-count")
            assert (await socket.finished_job(stored["job"], timeout=30))["event"] == "succeeded"
