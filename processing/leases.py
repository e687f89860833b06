"""What workers do to Job rows: claim, heartbeat, finish, release, requeue. All is fenced by (id, attempt, RUNNING).

Leases are on the database's clock (`Now()`), so that a worker's own clock may be wrong.
"""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from processing import doorbell, events, lifecycle, statements
from processing.errors import LostLease
from processing.events import EventData, News
from processing.lifecycle import JobState
from processing.models import Artifact, Job
from processing.statements import NOW


@dataclass(frozen=True)
class NewArtifact:
    """A file already in the storage `artifacts`, to be adopted by the finish."""

    name: str
    content_type: str
    size: int
    sha256: str
    storage_name: str
    is_result: bool = False


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: SUCCEEDED, FAILED or CANCELLED, with what belongs to it."""

    state: JobState
    result: Any = None
    artifacts: Sequence[NewArtifact] = ()
    error_code: str = ""
    error_message: str = ""
    traceback: str = ""
    progress: dict[str, Any] | None = None


@dataclass(frozen=True)
class Release:
    """Why an attempt is given back. A drain gives back uncharged; a lost worker or a crash charges."""

    reason: str
    charge: bool = True
    delay_seconds: float = 0
    message: str = ""
    traceback: str = ""


WORKER_LOST = Release("worker_lost", message="Each time the worker that ran it was lost.")
WORKER_STOPPED = Release("worker_stopped", charge=False)


@dataclass(frozen=True)
class Pulse:
    """What a heartbeat learned: attempts that are no longer ours, and jobs whose owner wants them cancelled."""

    lost: set[uuid.UUID] = field(default_factory=set)
    cancel: set[uuid.UUID] = field(default_factory=set)


def lease() -> Any:
    """The end of a lease that begins now, on the database's clock."""
    return Now() + timedelta(seconds=settings.HEADRACE.lease_seconds)


def claim(worker_id: uuid.UUID, queues: Sequence[str], limit: int) -> tuple[list[Job], list[News]]:
    """Take up to `limit` waiting jobs, best first; each gets a new attempt, a lease and its `started` event."""
    with transaction.atomic():
        jobs = statements.claim(worker_id, queues, limit, settings.HEADRACE.lease_seconds)
        return jobs, events.write_each(jobs, "started")


def _these(running: Mapping[uuid.UUID, int]) -> Q:
    """The rows of exactly these attempts."""
    return reduce(or_, (Q(pk=job_id, attempt=attempt) for job_id, attempt in sorted(running.items())))


def heartbeat(running: Mapping[uuid.UUID, int], progress: Mapping[uuid.UUID, Any]) -> Pulse:
    """Renew the leases of `running` ({job: attempt}), save the newest progress, and learn what became of the jobs."""
    pulse = Pulse()
    if not running:
        return pulse
    with transaction.atomic():
        Job.objects.filter(_these(running), state=JobState.RUNNING).update(lease_until=lease())
        save_progress(running, progress)
    there = Job.objects.filter(_these(running), state=JobState.RUNNING)
    wishes = dict(there.values_list("pk", "cancel_requested_at"))
    pulse.lost.update(running.keys() - wishes.keys())
    pulse.cancel.update(job_id for job_id, wish in wishes.items() if wish is not None)
    return pulse


def save_progress(running: Mapping[uuid.UUID, int], progress: Mapping[uuid.UUID, Any]) -> None:
    """Write the newest progress, {job: value}, of attempts that still run."""
    for job_id, value in progress.items():
        if job_id in running:
            Job.objects.running(job_id, running[job_id]).update(progress=value)


def cancel_wanted(job_id: uuid.UUID) -> bool:
    """Whether the owner of a job wants it cancelled, as its row says."""
    return Job.objects.filter(pk=job_id, cancel_requested_at__isnull=False).exists()


def record(job: Job, happened: Sequence[EventData]) -> list[News]:
    """Durable events of a running attempt. Raises LostLease."""
    news = events.append(job, happened)
    events.trim(job, settings.HEADRACE.events_kept)
    return news


def finish(job: Job, outcome: Outcome, before: Sequence[EventData] = ()) -> list[News]:
    """Write the one terminal state, its event and its artifacts, and the events that came just `before` it.

    Raises LostLease: then the outcome must be thrown away, with what it saved in the storage.
    """
    rows = [_row(job, number, new) for number, new in enumerate(outcome.artifacts)]
    whole = next((row for row, new in zip(rows, outcome.artifacts, strict=True) if new.is_result), None)
    job.result_artifact_id = whole.pk if whole else None
    event = _terminal_event(job, outcome, [row for row in rows if row is not whole])
    progress = {} if outcome.progress is None else {"progress": outcome.progress}
    return events.append(
        job,
        [*before, event],
        also=lambda: Artifact.objects.bulk_create(rows),
        state=outcome.state,
        result=outcome.result,
        result_artifact=job.result_artifact_id,
        error_code=outcome.error_code,
        error_message=outcome.error_message,
        traceback=outcome.traceback,
        finished_at=NOW,
        lease_until=None,
        **progress,
    )


def _row(job: Job, number: int, new: NewArtifact) -> Artifact:
    """The id follows from the attempt, so that a finish that is written again names the same artifacts."""
    return Artifact(
        pk=uuid.uuid5(job.pk, f"{job.attempt}/{number}"),
        job=job,
        attempt=job.attempt,
        name=new.name,
        content_type=new.content_type,
        size=new.size,
        sha256=new.sha256,
        storage_name=new.storage_name,
    )


def _terminal_event(job: Job, outcome: Outcome, artifacts: Sequence[Artifact]) -> EventData:
    if outcome.state == JobState.SUCCEEDED:
        return "succeeded", {
            "result": outcome.result,
            "result_url": events.result_url(job),
            "artifacts": [events.artifact_message(artifact) for artifact in artifacts],
        }
    if outcome.state == JobState.CANCELLED:
        return "cancelled", {}
    return "failed", {"error": {"code": outcome.error_code, "message": outcome.error_message}}


def release(job: Job, why: Release, before: Sequence[EventData] = ()) -> list[News]:
    """Give a running attempt back: QUEUED again, or CANCELLED or FAILED where its owner or its attempts say so.

    Raises LostLease. Where it is to run again at once, its queue is rung.
    """
    fresh = Job.objects.values("charged", "max_attempts", "cancel_requested_at").get(pk=job.pk)
    charged = fresh["charged"] if why.charge else max(0, fresh["charged"] - 1)
    then = lifecycle.after_lost_attempt(
        charged=charged, max_attempts=fresh["max_attempts"], cancel_requested=fresh["cancel_requested_at"] is not None
    )
    if then == JobState.CANCELLED:
        return finish(job, Outcome(JobState.CANCELLED), before)
    if then == JobState.FAILED:
        times = "once" if charged == 1 else f"{charged} times"
        message = f"It was tried {times}. {why.message}"
        failed = Outcome(JobState.FAILED, None, (), "attempts_exhausted", message, why.traceback)
        return finish(job, failed, before)
    news = events.append(
        job,
        [*before, ("retrying", {"reason": why.reason, "delay_seconds": why.delay_seconds})],
        also=lambda: _delay(job, why.delay_seconds),
        state=JobState.QUEUED,
        charged=charged,
        traceback=why.traceback,
        lease_until=None,
        worker=None,
        progress=None,
    )
    if not why.delay_seconds:
        hint = {"type": "job.available", "queue": job.queue}
        transaction.on_commit(lambda: doorbell.ring(doorbell.queue_group(job.queue), hint))
    return news


def _delay(job: Job, seconds: float) -> None:
    Job.objects.filter(pk=job.pk).update(available_at=Now() + timedelta(seconds=seconds))


def requeue_lost() -> list[News]:
    """Take back every job whose lease has ended; any worker may do it, the fence lets one win."""
    news: list[News] = []
    for job in Job.objects.filter(state=JobState.RUNNING, lease_until__lt=Now())[:100]:
        with contextlib.suppress(LostLease), transaction.atomic():
            # Its worker may have renewed the lease since; from here on it cannot.
            late = Job.objects.running(job.pk, job.attempt).filter(lease_until__lt=Now())
            if late.update(lease_until=None):
                news += release(job, WORKER_LOST)
    return news
