"""A slot: one warm child, one job at a time."""

import asyncio
import logging
import os
import random

from processing import output
from processing.attempt import Attempt, Ending, Why
from processing.desk import Claimed, Desk, turn
from processing.errors import LostLease, UnknownProcessor
from processing.models import Job
from processing.patience import TooLateError
from processing.registry import registry
from processing.reports import Reports
from processing.runner import Child, ChildBrokenError
from processing.threads import in_files

logger = logging.getLogger(__name__)

JOBS_PER_CHILD = 100
LONGEST_PAUSE = 15.0


class Slot:
    """`warm()` it, then `work()` on a job and on those it can claim right after; it is warm again at the end."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._child: Child | None = None
        self._with_django: Child | None = None
        self._successor: asyncio.Task[Child] | None = None
        self._saw_none = False

    async def warm(self) -> None:
        """Have a child ready. Raises ChildBrokenError when it cannot load the processors."""
        if self._child is not None and not self._child.alive:
            await self._child.kill()
            self._child = None
        if self._child is None:
            successor, self._successor = self._successor, None
            self._child = await (successor or self._spawn())

    async def warm_again(self) -> None:
        """`warm()`, tried again and again."""
        pause = 0.5
        while True:
            try:
                await self.warm()
            except ChildBrokenError as error:
                logger.error("this slot rests: %s", error)
            else:
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            pause = min(LONGEST_PAUSE, pause * 2)

    async def work(self, claimed: Claimed | None) -> bool:
        """Run a job, write its end, and go on as long as the same hop brings another.

        False where it ended without having seen that no other job waits.
        """
        self._saw_none = False
        while claimed is not None:
            claimed = await self._one(claimed)
        if self._desk.takes_jobs():
            await self.warm_again()
        return self._saw_none

    async def close(self) -> None:
        """End the children."""
        children: list[object] = [self._child, self._with_django]
        if self._successor is not None:
            self._successor.cancel()
            children += await asyncio.gather(self._successor, return_exceptions=True)
        for child in children:
            if isinstance(child, Child):
                await child.kill()

    async def _one(self, claimed: Claimed) -> Claimed | None:
        job, desk = claimed.job, self._desk
        attempt = Attempt(job, claimed.prepared, Reports(job, desk.database, desk.courier), claimed.at)
        desk.running[job.pk] = attempt
        child: Child | None = None
        try:
            try:
                child = await self._child_for(job)
                ending = await attempt.run(child)
            except (ChildBrokenError, UnknownProcessor) as error:
                ending = attempt.worker_failed(str(error))
            except Exception:
                logger.exception("job %s: the worker itself failed", job.pk)
                ending = attempt.worker_failed("The worker itself failed; its log says how.")
            more = self._keep(child, ending)
            return await self._write(attempt, ending, more)
        finally:
            if desk.running.get(job.pk) is attempt:
                del desk.running[job.pk]
            if child is not None and child not in (self._child, self._with_django):
                await child.kill()
            desk.tidy(claimed.prepared.folder)

    async def _child_for(self, job: Job) -> Child:
        if registry().get(job.processor).uses_django:
            if self._with_django is not None and not self._with_django.alive:
                await self._with_django.kill()
                self._with_django = None
            if self._with_django is None:
                self._with_django = await self._spawn(django=True)
            return self._with_django
        await self.warm()
        assert self._child is not None
        return self._child

    def _keep(self, child: Child | None, ending: Ending) -> bool:
        """Whether this slot can take a job at once. A child that is done for is let go and replaced meanwhile."""
        if child is not None:
            child.tell = to_log
            if not ending.again:
                child.let_go()
            old = child.jobs >= JOBS_PER_CHILD
            if child is self._with_django and (old or not ending.again):
                self._with_django = None
            elif child is self._child:
                if (child.jobs >= JOBS_PER_CHILD - 10 or not ending.again) and self._successor is None:
                    self._successor = asyncio.create_task(self._spawn())
                ready = self._successor is not None and self._successor.done()
                if not ending.again or (old and ready) or child.jobs >= 2 * JOBS_PER_CHILD:
                    self._child = None
        return self._child is not None or (self._successor is not None and self._successor.done())

    async def _write(self, attempt: Attempt, ending: Ending, more: bool) -> Claimed | None:
        job, desk = attempt.job, self._desk
        before = await attempt.reports.remaining()
        if attempt.why is Why.LOST:
            ending, before = Ending(), ()
        try:
            claimed, begun = await desk.database.call_until(attempt.deadline, turn, desk, attempt, ending, before, more)
        except LostLease:
            logger.warning("job %s: attempt %d was over before; its result is thrown away", job.pk, job.attempt)
            if ending.outcome is not None and ending.outcome.artifacts:
                await in_files(output.forget, ending.outcome.artifacts)
            return None
        except TooLateError as error:
            logger.error("job %s: its end could not be written, it will run again: %s", job.pk, error)
            return None
        desk.courier.post(begun)
        self._saw_none = more and not claimed
        return claimed[0] if claimed else None

    async def _spawn(self, django: bool = False) -> Child:
        threads = max(1, (os.cpu_count() or 1) // self._desk.slots)
        return await Child.spawn(self._desk.modules, django=django, threads=threads, tell=to_log)


def to_log(level: str, line: str) -> None:
    """What a child prints outside a job."""
    logger.warning("a child process printed (%s): %s", level, line)
