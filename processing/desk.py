"""What the slots of a worker share, and the database hops in which a job begins and ends."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import DatabaseError, InterfaceError, OperationalError

from processing import inputs, leases, output
from processing.attempt import Attempt, Ending
from processing.courier import Courier
from processing.errors import LostLease
from processing.events import EventData, News
from processing.leases import WORKER_STOPPED, Outcome
from processing.lifecycle import JobState
from processing.models import Job
from processing.patience import Patience
from processing.threads import in_files

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claimed:
    """A job that is ours, with its input opened, and when (monotonic) its lease began at the latest."""

    job: Job
    prepared: inputs.Prepared
    at: float


@dataclass
class Desk:
    """What the slots of a worker share."""

    worker_id: uuid.UUID
    queues: Sequence[str]
    modules: Sequence[str]
    slots: int
    database: Patience
    courier: Courier
    running: dict[uuid.UUID, Attempt] = field(default_factory=dict)
    open: bool = True
    tidying: set[asyncio.Task[None]] = field(default_factory=set)

    def takes_jobs(self) -> bool:
        """False once the worker drains."""
        return self.open

    def close(self) -> None:
        """Take no more jobs."""
        self.open = False

    def tidy(self, folder: Path) -> None:
        """Remove a private folder, if it is still there, beside the work: there may be much in it."""
        if folder.exists():
            task = asyncio.create_task(in_files(inputs.remove, folder))
            self.tidying.add(task)
            task.add_done_callback(self.tidying.discard)


def claim(desk: Desk, limit: int) -> tuple[list[Claimed], list[News]]:
    """Claim and prepare, in one database thread."""
    at = time.monotonic()
    jobs, news = leases.claim(desk.worker_id, desk.queues, limit)
    return [Claimed(job, inputs.prepare(job), at) for job in jobs], news


def hand_back(claimed: Claimed) -> list[News]:
    """Give back what was claimed when the worker had begun to drain."""
    claimed.prepared.close()
    inputs.remove(claimed.prepared.folder)
    try:
        return leases.release(claimed.job, WORKER_STOPPED)
    except LostLease:
        return []


def conclude(job: Job, ending: Ending, before: Sequence[EventData]) -> list[News]:
    """Write what became of an attempt. Raises LostLease."""
    if ending.outcome is not None:
        try:
            return leases.finish(job, ending.outcome, before)
        except (OperationalError, InterfaceError):
            raise
        except (DatabaseError, ValueError) as error:  # a value that the row cannot hold
            logger.exception("job %s: its outcome cannot be stored", job.pk)
            output.forget(ending.outcome.artifacts)
            message = f"Its result cannot be stored: {type(error).__name__}."
            return leases.finish(job, Outcome(JobState.FAILED, error_code="bad_result", error_message=message))
    if ending.release is not None:
        return leases.release(job, ending.release, before)
    return []


def turn(
    desk: Desk, attempt: Attempt, ending: Ending, before: Sequence[EventData], more: bool
) -> tuple[list[Claimed], list[News]]:
    """Write what became of an attempt and, where there is `more` to do, claim the next: one hop for both.

    The news goes out at once, before the claim. Raises LostLease.
    """
    desk.courier.post_from_thread(conclude(attempt.job, ending, before))
    claimed: list[Claimed] = []
    begun: list[News] = []
    if more and desk.takes_jobs():
        # Where that fails the end is written all the same; the next bell or poll claims.
        with contextlib.suppress(OperationalError, InterfaceError):
            claimed, begun = claim(desk, 1)
    if ending.again:
        inputs.remove_empty(attempt.prepared.folder)  # else its child may still be in it
    return claimed, begun
