"""A socket's own channel on the channel layer. A layer that is down costs news for a while, never the socket."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

FAILURES = (RedisError, OSError, TimeoutError, RuntimeError)
"""What a layer that is away raises; RuntimeError is the pub/sub layer's `group_add` on a channel that it has lost."""
PATIENCE_SECONDS = 5.0

Message = dict[str, Any]


class Mailbox:
    """Receives what is sent to this socket and to the groups that it joined."""

    def __init__(self, handle: Callable[[Message], Awaitable[None]]) -> None:
        self._handle = handle
        self._layer = get_channel_layer()
        self._groups: set[str] = set()
        self._opened = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._name = ""

    def start(self) -> None:
        """Begin to receive, in a task of its own."""
        self._task = asyncio.create_task(self._run())

    async def name(self, patience: float = 1.0) -> str:
        """The channel's name, or "" where the layer does not give one in time."""
        try:
            async with asyncio.timeout(patience):
                await self._opened.wait()
        except TimeoutError:
            return ""
        return self._name

    async def join(self, group: str) -> None:
        """Hear a group as well; where the layer is away, as soon as it is back."""
        self._groups.add(group)
        if await self.name():
            await self._try(self._layer.group_add(group, self._name))

    async def leave(self, group: str) -> None:
        """Hear a group no more."""
        if group in self._groups:
            self._groups.discard(group)
            await self._try(self._layer.group_discard(group, self._name))

    async def close(self) -> None:
        """Stop receiving and leave all groups."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        for group in list(self._groups):
            await self.leave(group)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                if not self._opened.is_set():
                    await self._open()
                message = await self._layer.receive(self._name)
                failures = 0
            except FAILURES as error:
                failures += 1
                logger.warning("channel layer: %s: %s", type(error).__name__, error)
                self._opened.clear()
                await asyncio.sleep(random.uniform(0.1, min(5.0, 0.2 * 2**failures)))  # noqa: S311 - jitter
                continue
            await self._handle(message)

    async def _open(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            self._name = await self._layer.new_channel()
            for group in self._groups:
                await self._layer.group_add(group, self._name)
        self._opened.set()

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await work
        except FAILURES as error:
            logger.warning("channel layer: %s: %s", type(error).__name__, error)
