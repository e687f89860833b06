"""Carries news of jobs to the channel layer, beside the work: a slow or dead layer never slows a job.

The rows are the truth and followers read them again at every heartbeat, so a bounded queue may drop what is old. The
event that ends a job is never dropped here.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Iterable, Sequence

from processing import events
from processing.events import News

logger = logging.getLogger(__name__)

WAITING = 200
"""Pieces of news that may wait for one job."""

_ENDS = frozenset({"succeeded", "failed", "cancelled"})


class Courier:
    """Made on the worker's loop. `post()` returns at once; each job's news goes out in order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[uuid.UUID, deque[News]] = {}
        self._carrying: dict[uuid.UUID, asyncio.Task[None]] = {}

    def post(self, news: Iterable[News]) -> None:
        """Send these soon. Call it on the worker's loop, after the commit."""
        for piece in news:
            job_id = piece[1]
            line = self._waiting.setdefault(job_id, deque())
            line.append(piece)
            if len(line) > WAITING:
                _drop_one(line)
            if job_id not in self._carrying:
                self._carrying[job_id] = asyncio.create_task(self._carry(job_id))

    def post_from_thread(self, news: Sequence[News]) -> None:
        """`post()` from another thread."""
        if news:
            self._loop.call_soon_threadsafe(self.post, news)

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, but not for long; then give the rest up."""
        tasks = list(self._carrying.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            logger.warning("news of %d jobs did not go out before the end; the rows have it", len(late))

    async def _carry(self, job_id: uuid.UUID) -> None:
        line = self._waiting[job_id]
        try:
            while line:
                await events.announce([line.popleft()])
        except Exception:
            logger.exception("news of job %s could not be sent", job_id)
        finally:
            del self._carrying[job_id], self._waiting[job_id]


def _drop_one(line: deque[News]) -> None:
    """The oldest that ends nothing."""
    for index, piece in enumerate(line):
        if piece[2]["event"] not in _ENDS:
            del line[index]
            return
