"""The worker's consumer: it only rings, and never raises."""

import asyncio
import uuid
from typing import Any

import pytest
from channels.routing import ChannelNameRouter

from processing.consumers import WorkerConsumer

KNOWN = uuid.uuid4()


class Rung:
    def __init__(self) -> None:
        self.rung: list[Any] = []

    def wake(self) -> None:
        self.rung.append("wake")

    def cancel(self, job_id: uuid.UUID) -> None:
        self.rung.append(job_id)


async def told(*messages: dict[str, Any], scope: dict[str, Any]) -> None:
    """Send these through the router, as the worker's ear does; the consumer must still live after them."""
    router = ChannelNameRouter({"headrace.worker": WorkerConsumer.as_asgi()})
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def never_sends(message: dict[str, Any]) -> None:
        raise AssertionError(message)

    consumer = asyncio.create_task(router({"type": "channel", **scope}, queue.get, never_sends))
    for message in messages:
        queue.put_nowait(message)
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert not consumer.done()
    consumer.cancel()
    await asyncio.gather(consumer, return_exceptions=True)


async def test_it_rings_and_does_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    worker = Rung()
    await told(
        {"type": "job.available", "queue": "default"},
        {"type": "no.such"},
        {"type": "job.cancel", "job": "no uuid"},
        {"type": "job.cancel"},
        {},
        {"type": "job.cancel", "job": str(KNOWN)},
        {"type": "job.available"},
        scope={"channel": "headrace.worker", "worker": worker},
    )
    assert worker.rung == ["wake", KNOWN, "wake"]
    assert len(caplog.records) == 4


async def test_without_a_worker_it_only_logs(caplog: pytest.LogCaptureFixture) -> None:
    await told({"type": "job.available"}, scope={"channel": "headrace.worker"})
    assert "without a worker" in caplog.text


async def test_it_takes_no_thread_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels' own dispatch takes one, to close old database connections."""

    async def hop() -> None:
        raise AssertionError("a thread hop")

    monkeypatch.setattr("channels.consumer.aclose_old_connections", hop)
    worker = Rung()
    await told({"type": "job.available"}, scope={"channel": "headrace.worker", "worker": worker})
    assert worker.rung == ["wake"]
