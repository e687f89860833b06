"""Hints over the channel layer: a lost one costs time and nothing else, so a failed one is logged and forgotten.

Groups: `queue_group` wakes the workers of a queue, WORKERS reaches all workers, `job_group` the sockets that follow.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

Sending = Callable[[str, dict[str, Any]], Coroutine[Any, Any, bool]]

WORKERS = "headrace.workers"
SECONDS = 5.0
"""How long a hint may take."""

_loop: asyncio.AbstractEventLoop | None = None


def queue_group(queue: str) -> str:
    """The group that the workers of a queue are in."""
    return f"headrace.queue.{queue}"


def job_group(job_id: uuid.UUID) -> str:
    """The group that the followers of a job are in."""
    return f"headrace.job.{job_id.hex}"


def use_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Ring on this loop from every thread: a message put from another does not wake the in-memory layer's own."""
    global _loop
    _loop = loop


async def send(channel: str, message: dict[str, Any]) -> bool:
    """Send to one channel; False where it did not go out."""
    return await _quietly(get_channel_layer().send(channel, message))


async def group_send(group: str, message: dict[str, Any]) -> bool:
    """Send to a group; False where it did not go out."""
    return await _quietly(get_channel_layer().group_send(group, message))


def ring(group: str, message: dict[str, Any]) -> None:
    """`group_send` from any thread, for `transaction.on_commit`; does not wait."""
    _from_thread(group_send, group, message)


def ring_channel(channel: str, message: dict[str, Any]) -> None:
    """`send` from any thread, for `transaction.on_commit`; does not wait."""
    _from_thread(send, channel, message)


def _from_thread(sending: Sending, to: str, message: dict[str, Any]) -> None:
    loop = _loop
    if loop is not None and loop.is_running():
        asyncio.run_coroutine_threadsafe(sending(to, message), loop)
    else:
        async_to_sync(sending)(to, message)


async def _quietly(sending: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(SECONDS):
            await sending
    except (RedisError, ChannelFull, OSError, TimeoutError) as error:
        logger.warning("a hint over the channel layer did not go out: %s: %s", type(error).__name__, error)
        return False
    return True
