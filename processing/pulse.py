"""The heartbeat: it renews leases, learns of cancel requests, saves progress, and gives up what it cannot renew."""

import asyncio
import logging
import random
import time
import uuid
from typing import Any

from django.conf import settings

from processing import chores, inputs, leases, presence
from processing.attempt import Attempt, Why
from processing.desk import Desk
from processing.leases import Pulse

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
PROGRESS_SECONDS = 1.0
CHORES_SECONDS = 60.0
LOST_SECONDS = 3.0


class Heart:
    """`start()` sets three tasks going: the beat, the watch over deadlines, the care for what others left behind."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to beat."""
        self._tasks = [asyncio.create_task(life()) for life in (self._beat, self._watch, self._care)]

    async def stop(self) -> None:
        """Stop, once nothing runs any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self, job_id: uuid.UUID) -> None:
        """Somebody says that a running job is to be cancelled: see whether its row says so."""
        attempt = self._desk.running.get(job_id)
        if attempt is not None and await self._desk.database.call(leases.cancel_wanted, job_id):
            attempt.cancel()

    async def _beat(self) -> None:
        every = float(settings.HEADRACE.worker_heartbeat_seconds)
        due = time.monotonic() + every
        while True:
            await asyncio.sleep(max(0.0, min(PROGRESS_SECONDS, due - time.monotonic())))
            if time.monotonic() >= due:
                due = time.monotonic() + every
                await self._renew()
            else:
                await self._save_progress()

    async def _renew(self) -> None:
        attempts = dict(self._desk.running)
        progress = self._unsaved(attempts)
        pulse, asked_at = await self._desk.database.call(_renew, self._desk, _numbers(attempts), progress)
        for job_id, attempt in attempts.items():
            if job_id in pulse.lost:
                self._lost(attempt)
                continue
            attempt.renewed_at = max(attempt.renewed_at, asked_at)
            if job_id in pulse.cancel:
                attempt.cancel()

    def _lost(self, attempt: Attempt) -> None:
        """A row that is no longer ours; unless the attempt has just ended: then it is final because we wrote it."""
        if not attempt.over:
            logger.warning("job %s: attempt %d is no longer ours", attempt.job.pk, attempt.job.attempt)
            attempt.lose()

    async def _save_progress(self) -> None:
        attempts = dict(self._desk.running)
        if progress := self._unsaved(attempts):
            await self._desk.database.call(leases.save_progress, _numbers(attempts), progress)

    def _unsaved(self, attempts: dict[uuid.UUID, Attempt]) -> dict[uuid.UUID, Any]:
        found: dict[uuid.UUID, Any] = {}
        for job_id, attempt in attempts.items():
            if attempt.reports.unsaved:
                attempt.reports.unsaved = False
                found[job_id] = attempt.reports.newest
        return found

    async def _watch(self) -> None:
        """A database that is away, or a machine that slept: what cannot be renewed in time is given up."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for attempt in list(self._desk.running.values()):
                if time.monotonic() > attempt.deadline() and not attempt.over and attempt.why is not Why.LOST:
                    logger.error("job %s: its lease could not be renewed; it is given up", attempt.job.pk)
                    attempt.lose()

    async def _care(self) -> None:
        chores_due = time.monotonic() + CHORES_SECONDS * _jitter()
        while True:
            try:
                self._desk.courier.post(await self._desk.database.call(leases.requeue_lost))
                if time.monotonic() > chores_due:
                    chores_due = time.monotonic() + CHORES_SECONDS * _jitter()
                    await self._do_chores()
            except Exception:
                logger.exception("the care for what others left behind failed; it is tried again")
            await asyncio.sleep(LOST_SECONDS * _jitter())

    async def _do_chores(self) -> None:
        own = {"forget old workers": presence.forget_old, "remove dead attempts' folders": inputs.remove_leftovers}
        for title, chore in {**chores.all_chores(), **own}.items():
            try:
                mended = await self._desk.database.call(chore)
            except Exception:
                logger.exception("the chore %r failed", title)
                continue
            if mended:
                logger.info("chore: %s: %d", title, mended)


def _renew(desk: Desk, running: dict[uuid.UUID, int], progress: dict[uuid.UUID, Any]) -> tuple[Pulse, float]:
    """In a database thread: what was learned, and when (monotonic) it was asked."""
    asked_at = time.monotonic()
    if not presence.beat(desk.worker_id):
        presence.register(desk.worker_id, desk.slots, desk.queues)
    return leases.heartbeat(running, progress), asked_at


def _numbers(attempts: dict[uuid.UUID, Attempt]) -> dict[uuid.UUID, int]:
    return {job_id: attempt.job.attempt for job_id, attempt in attempts.items()}


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
