"""A worker on the test's own loop."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from channels.layers import channel_layers

from processing import doorbell
from processing.registry import registry
from processing.worker import Worker
from tests.unit.processing.working import Starts


@pytest.fixture
async def begin(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Starts]:
    """`await begin(concurrency=2, poll_seconds=60)`: a worker with these settings, drained at the end of the test."""
    workers: list[Worker] = []
    channel_layers.backends = {}
    doorbell.use_loop(asyncio.get_running_loop())
    defaults = {"processors": ["tests.hostile", "tests.processors"], "concurrency": 1, "cancel_grace_seconds": 0.5}

    async def begin(**changes: Any) -> Worker:
        settings.HEADRACE = settings.HEADRACE.model_copy(update={**defaults, **changes})
        registry.cache_clear()
        worker = Worker()
        workers.append(worker)
        await worker.start()
        return worker

    settings.HEADRACE = settings.HEADRACE.model_copy(update=defaults)
    registry.cache_clear()
    yield begin
    for worker in workers:
        await worker.drain(0)
    doorbell.use_loop(None)
    registry.cache_clear()
    assert not list(Path(settings.HEADRACE.var_dir, "work").iterdir()), "private folders are left"
