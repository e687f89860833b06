"""One attempt at one job, from its claim to what became of it. The worker writes that down (processing/slots.py)."""

import asyncio
import enum
import logging
import os
import random
import signal
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from processing.inputs import InputMissingError, Prepared, spool
from processing.leases import WORKER_STOPPED, Outcome, Release
from processing.lifecycle import JobState
from processing.models import Job
from processing.output import BadOutputError, save
from processing.registry import registry
from processing.reports import Reports
from processing.runner import TERMINAL, Child, Message
from processing.threads import in_files

logger = logging.getLogger(__name__)


class Why(enum.Enum):
    """Why an attempt was told to stop. A later reason replaces an earlier one, if it is stronger."""

    TIME = 1
    CANCEL = 2
    DRAIN = 3
    LOST = 4


@dataclass
class Ending:
    """What is to be written: an Outcome, or a Release, or nothing (the lease is lost)."""

    outcome: Outcome | None = None
    release: Release | None = None
    again: bool = True
    """Whether the child may run another job."""


def lease_margin() -> float:
    """How long before the end of its lease a worker gives a job up, in seconds: 5, or less where leases are short."""
    return min(5.0, float(settings.HEADRACE.lease_seconds) / 4)


class Attempt:
    """A claimed job in a child. `run()` gives its Ending; the other methods may be called at any time meanwhile."""

    def __init__(self, job: Job, prepared: Prepared, reports: Reports, claimed_at: float) -> None:
        self.job = job
        self.prepared = prepared
        self.reports = reports
        self.renewed_at = claimed_at
        reports.deadline, reports.lost = self.deadline, self.lose
        self.why: Why | None = None
        self.over = False
        """True once the child has ended or said its last; what the attempt came to is then being written."""
        self._child: Child | None = None
        self._killed = False
        self._timers: list[asyncio.TimerHandle] = []

    def deadline(self) -> float:
        """Until when, on the monotonic clock, the lease holds for certain."""
        return self.renewed_at + float(settings.HEADRACE.lease_seconds) - lease_margin()

    def cancel(self) -> None:
        """Its owner wants it cancelled: at the next `yield`, or after the grace by force."""
        self._stop(Why.CANCEL)

    def give_back(self) -> None:
        """The worker stops: end the child, the job runs elsewhere."""
        self._stop(Why.DRAIN)

    def lose(self) -> None:
        """The lease is gone: end the child and throw away what it made."""
        self._stop(Why.LOST)

    def _stop(self, why: Why) -> None:
        if self.over or (self.why is not None and self.why.value >= why.value):
            return
        if (self.why, why) != (Why.TIME, Why.DRAIN):  # its time was over before; it is not to run again
            self.why = why
        self.reports.stop_holding()
        if why in (Why.DRAIN, Why.LOST):
            self._kill()
        elif self._child is not None:
            self._child.cancel()
            self._later(float(settings.HEADRACE.cancel_grace_seconds), self._kill)

    def _later(self, seconds: float, what: Any) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, what))

    def _kill(self) -> None:
        self._killed = True
        if self._child is not None:
            self._child.let_go()

    async def run(self, child: Child) -> Ending:
        """Run the job in `child`, which may be gone afterwards."""
        try:
            await self._fetch()
            if self.why is not None:
                return self._stopped_early()
            return await self._in_child(child)
        except InputMissingError as error:
            return Ending(Outcome(JobState.FAILED, error_code="input_missing", error_message=str(error)))
        except OSError as error:
            logger.error("job %s: %s: %s", self.job.pk, type(error).__name__, error)
            return self.worker_failed(f"Its worker could not work: {error.strerror or error}.")
        finally:
            self.over = True
            for timer in self._timers:
                timer.cancel()
            self.prepared.close()

    def worker_failed(self, message: str) -> Ending:
        """The ending where not the job but the worker is to blame; the child is not trusted after that."""
        release = Release("worker_error", delay_seconds=self._backoff(), message=message)
        return Ending(release=release, again=False)

    async def _fetch(self) -> None:
        if self.prepared.error is not None:
            raise self.prepared.error
        if self.prepared.source is None:
            await in_files(spool, self.job, self.prepared, lambda: self.why is None)

    def _stopped_early(self) -> Ending:
        if self.why is Why.LOST:
            return Ending()
        if self.why is Why.DRAIN:
            return Ending(release=WORKER_STOPPED)
        return Ending(Outcome(JobState.CANCELLED))

    async def _in_child(self, child: Child) -> Ending:
        processor = registry().get(self.job.processor)
        self._child = child
        self._later(processor.time_limit, lambda: self._stop(Why.TIME))
        child.tell = self.reports.printed
        order = {
            "processor": self.job.processor,
            "params": self.job.params,
            "name": self.job.name,
            "content_type": self.job.content_type,
            "size": self.job.input_size,
            "sha256": self.job.input_sha256,
            "folder": str(self.prepared.folder),
            "source": "",
            "memory_bytes": processor.memory_limit,
            "cpu_seconds": processor.time_limit * (os.cpu_count() or 1),  # of all its threads together
        }
        last: Message | None = None
        async for message in child.run(order, self.prepared.take()):
            if message["type"] in TERMINAL:
                last = message
            else:
                await self.reports.take(message)
        if self.why is Why.LOST:
            return Ending(again=False)
        if last is None:
            return await self._gone(child, processor.time_limit)
        return await self._said(last, processor.time_limit)

    async def _said(self, last: Message, time_limit: float) -> Ending:
        """What the child's last message means."""
        ending = Ending(self._ended_by_us(time_limit))
        if last["type"] == "result":
            ending = Ending(await self._result(last))
        elif last["type"] == "failed":
            ending = Ending(
                Outcome(
                    JobState.FAILED,
                    error_code=last["code"],
                    error_message=last["message"],
                    traceback=last["traceback"],
                    progress=self.reports.newest,
                )
            )
        ending.again = not last["dirty"] and not self._killed
        return ending

    async def _result(self, last: Message) -> Outcome:
        try:
            made = last["artifacts"]
            artifacts = await in_files(save, self.job, self.prepared.folder, made) if made else []
        except BadOutputError as error:
            return Outcome(JobState.FAILED, error_code="bad_artifact", error_message=str(error))
        return Outcome(JobState.SUCCEEDED, last["data"], artifacts, progress=self.reports.newest)

    def _ended_by_us(self, time_limit: float) -> Outcome:
        if self.why is Why.TIME:
            message = f"It ran longer than its time limit of {time_limit:g} s."
            return Outcome(JobState.FAILED, error_code="time_limit", error_message=message)
        return Outcome(JobState.CANCELLED)

    async def _gone(self, child: Child, time_limit: float) -> Ending:
        """The child ended without a last message: by us, by a signal, or by os._exit."""
        code = await child.ended()
        child.printed()
        if self.why is Why.DRAIN:
            return Ending(release=WORKER_STOPPED, again=False)
        if self.why in (Why.CANCEL, Why.TIME):
            return Ending(self._ended_by_us(time_limit), again=False)
        if code == -signal.SIGXCPU:
            message = "It used more processor time than it may."
            return Ending(Outcome(JobState.FAILED, error_code="time_limit", error_message=message), again=False)
        crashed = Release(
            "crashed", delay_seconds=self._backoff(), message=_end_in_words(code), traceback=child.fault()
        )
        return Ending(release=crashed, again=False)

    def _backoff(self) -> float:
        """Seconds until the next try: longer after each, with jitter."""
        return round(min(60.0, 2.0 ** max(0, self.job.charged - 1)) * random.uniform(0.5, 1), 1)  # noqa: S311


def _end_in_words(code: int) -> str:
    if code >= 0:
        return f"The last time its process ended itself with exit code {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The last time its process was ended by {name}."
