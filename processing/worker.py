"""The worker: claims jobs for its free slots, keeps their leases, and drains. One object on one event loop.

`runworker` runs it alone, `serve` beside the web server on the same loop:

    worker = Worker()
    await worker.start()
    ...
    await worker.drain(seconds)
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence

from django.conf import settings

from processing import inputs, presence
from processing.courier import Courier
from processing.desk import Claimed, Desk, claim, hand_back
from processing.ear import NAME, Ear
from processing.patience import Patience
from processing.pulse import Heart
from processing.registry import modules, registry
from processing.slots import Slot
from processing.threads import in_db

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
END_SECONDS = 10.0
"""How long, after the grace, jobs that were given back may take to be written so."""


class Worker:
    """Made on an event loop whose thread lives as long as the process. `queues` empty: those of all processors."""

    def __init__(self, *, concurrency: int = 0, queues: Sequence[str] = (), channels: Sequence[str] = ()) -> None:
        self.id = uuid.uuid4()
        slots = concurrency or int(settings.HEADRACE.concurrency)
        self._channels = [NAME, *channels]
        self._desk = Desk(
            worker_id=self.id,
            queues=list(queues) or sorted({"default", *(found.queue for found in registry().all())}),
            modules=modules(),
            slots=slots,
            database=Patience(),
            courier=Courier(),
        )
        self._slots = [Slot(self._desk) for _ in range(slots)]
        self._free: list[Slot] = []
        self._busy: set[asyncio.Task[bool]] = set()
        self._bell = asyncio.Event()
        self._missed = False
        self._heart = Heart(self._desk)
        self._ear: Ear | None = None
        self._claiming: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._drained: asyncio.Task[None] | None = None
        self._drain_until = float("inf")
        self._hurry = asyncio.Event()

    async def start(self) -> None:
        """Be ready to take jobs when this returns. Waits for the database; a channel layer may be away.

        Raises ChildBrokenError where the child processes cannot load the processors.
        """
        desk = self._desk
        await desk.database.call(presence.register, self.id, desk.slots, desk.queues)
        await desk.database.call(inputs.remove_leftovers)
        outcomes = await asyncio.gather(*(slot.warm() for slot in self._slots), return_exceptions=True)
        for error in outcomes:
            if isinstance(error, BaseException):
                await asyncio.gather(*(slot.close() for slot in self._slots))
                raise error
        self._free = list(self._slots)
        self._ear = Ear(self, desk.queues, self._channels)
        self._ear.open()
        self._heart.start()
        self._claiming = asyncio.create_task(self._claim())
        logger.info("worker %s: %d slots, queues %s", self.id, desk.slots, ", ".join(desk.queues))

    def wake(self) -> None:
        """A job waits, perhaps."""
        self._bell.set()

    def cancel(self, job_id: uuid.UUID) -> None:
        """A running job is to be cancelled, perhaps: its row says."""
        if job_id in self._desk.running:
            task = asyncio.create_task(self._heart.look(job_id))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def drain(self, seconds: float) -> None:
        """Take no more jobs, let those that run finish for `seconds`, give the rest back uncharged, end the children.

        A second call with less time shortens the first.
        """
        self._drain_until = min(self._drain_until, time.monotonic() + seconds)
        self._hurry.set()
        if self._drained is None:
            self._drained = asyncio.create_task(self._drain())
        await asyncio.shield(self._drained)

    async def _claim(self) -> None:
        poll = float(settings.HEADRACE.poll_seconds)
        while self._desk.takes_jobs():
            try:
                async with asyncio.timeout(poll):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            if not self._free:
                self._missed = True
                continue
            if not self._desk.takes_jobs():
                return
            try:
                claimed, news = await self._desk.database.call(claim, self._desk, len(self._free))
            except Exception:
                logger.exception("claiming failed; it is tried again")
                await asyncio.sleep(poll)
                continue
            self._desk.courier.post(news)
            for one in claimed:
                if not self._desk.takes_jobs():
                    self._desk.courier.post(await self._desk.database.call(hand_back, one))
                else:
                    self._begin(self._free.pop(), one)

    def _begin(self, slot: Slot, claimed: Claimed | None) -> None:
        task = asyncio.create_task(slot.work(claimed))
        self._busy.add(task)
        task.add_done_callback(lambda done: self._idle(slot, done))

    def _idle(self, slot: Slot, task: asyncio.Task[bool]) -> None:
        self._busy.discard(task)
        if task.cancelled() or not self._desk.takes_jobs():
            return
        if error := task.exception():
            logger.error("a slot failed", exc_info=error)
            self._begin(slot, None)
            return
        self._free.append(slot)
        if self._missed or not task.result():
            self._missed = False
            self._bell.set()

    async def _drain(self) -> None:
        self._desk.close()
        self._bell.set()
        if self._ear is not None:
            await self._ear.close()
        await self._let_finish()
        for attempt in list(self._desk.running.values()):
            attempt.give_back()
        if ending := self._busy | ({self._claiming} if self._claiming is not None else set()):
            _, late = await asyncio.wait(ending, timeout=END_SECONDS if self._desk.running else 1)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._heart.stop()
        await asyncio.gather(*(slot.close() for slot in self._slots))
        await self._desk.courier.settle(SETTLE_SECONDS)
        await asyncio.gather(*self._desk.tidying, return_exceptions=True)
        await self._sign_off()

    async def _let_finish(self) -> None:
        while self._desk.running and self._busy and (left := self._drain_until - time.monotonic()) > 0:
            self._hurry.clear()
            hurried = asyncio.create_task(self._hurry.wait())
            await asyncio.wait({*self._busy, hurried}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()

    async def _sign_off(self) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await in_db(presence.sign_off, self.id)
        except Exception:
            logger.exception("the worker's end could not be written")
