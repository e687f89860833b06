"""The worker's ear on the channel layer. What it hears is a hint: a layer that is down costs time and nothing else.

It listens on a channel of its own, which it puts into the groups of the worker's queues, and on the name that the
ChannelNameRouter of config/asgi.py knows. Messages go through that router to the WorkerConsumer.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from channels.layers import get_channel_layer
from channels.routing import get_default_application
from channels.worker import Worker as ChannelsWorker

from processing import doorbell

logger = logging.getLogger(__name__)

NAME = "headrace.worker"
"""The worker's name in the ChannelNameRouter."""

REJOIN_SECONDS = 30.0
"""Memberships end after a day, or with a Redis that was restarted or flushed: joining again costs next to nothing."""

STEADY_SECONDS = 1.0
"""A layer counts as back when it has worked for so long."""

LONGEST_PAUSE = 15.0


class Ear(ChannelsWorker):  # type: ignore[misc]
    """Channels' worker (one application instance per channel), with a channel of its own and listeners that survive."""

    def __init__(self, worker: object, queues: Sequence[str], channels: Sequence[str] = (NAME,)) -> None:
        super().__init__(get_default_application(), list(channels), get_channel_layer())
        self._worker = worker
        self._groups = [doorbell.WORKERS, *map(doorbell.queue_group, queues)]
        self._tasks: list[asyncio.Task[None]] = []
        self._away_since: float | None = None

    def open(self) -> None:
        """Begin to listen, in the background."""
        listeners = [self._own, *(self._named(channel) for channel in self.channels)]
        self._tasks = [asyncio.create_task(self._forever(listener)) for listener in listeners]
        self._tasks.append(asyncio.create_task(self.application_checker()))

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for scope_id in list(self.application_instances):
            self.delete_application_instance(scope_id)

    def _named(self, channel: str, name: str = "") -> Callable[[], Coroutine[Any, Any, None]]:
        """A listener on `channel`; the router finds its consumer under `name`, where that is another."""

        async def listen() -> None:
            while True:
                await self._hear(name or channel, await self.channel_layer.receive(channel))

        return listen

    async def _own(self) -> None:
        """Listen on a channel that nobody else has, and stay in the groups."""
        channel = await self.channel_layer.new_channel()
        joining = asyncio.create_task(self._stay(channel))
        hearing = asyncio.create_task(self._named(channel, NAME)())
        try:
            await asyncio.wait([hearing, joining], return_when=asyncio.FIRST_COMPLETED)
            for task in (hearing, joining):
                if task.done():
                    task.result()
        finally:
            hearing.cancel()
            joining.cancel()
            await asyncio.gather(hearing, joining, return_exceptions=True)

    async def _stay(self, channel: str) -> None:
        while True:
            for group in self._groups:
                await self.channel_layer.group_add(group, channel)
            self._wake()  # for what rang while nobody listened
            if self._away_since is not None:
                await asyncio.sleep(STEADY_SECONDS)  # joining may work where receiving does not
                self._back()
            await asyncio.sleep(REJOIN_SECONDS * random.uniform(0.8, 1))  # noqa: S311 - jitter, not a secret

    def _wake(self) -> None:
        wake = getattr(self._worker, "wake", None)
        if wake is not None:
            wake()

    async def _hear(self, channel: str, message: dict[str, Any]) -> None:
        scope = {"type": "channel", "channel": channel, "worker": self._worker}
        await self.get_or_create_application_instance(channel, scope).put(message)

    async def _forever(self, listen: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause = 0.1
        while True:
            begun = time.monotonic()
            try:
                await listen()
            except Exception as error:  # noqa: BLE001 - a layer may raise anything; the worker lives on and polls
                self._gone(error)
            if time.monotonic() - begun > LONGEST_PAUSE:
                pause = 0.1
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            pause = min(LONGEST_PAUSE, pause * 2)

    def _gone(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("the channel layer is away, polling goes on: %s: %s", type(error).__name__, error)

    def _back(self) -> None:
        if self._away_since is not None:
            logger.warning("the channel layer is back after %.1f s", time.monotonic() - self._away_since)
            self._away_since = None
