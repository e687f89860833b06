"""What workers do to Job rows: claim, heartbeat, finish, release, requeue. Every write is fenced by (id, attempt, RUNNING).

Leases are on the database's clock (`Now()`), so that a worker's own clock may be wrong. Claiming takes rows with FOR UPDATE
SKIP LOCKED where the database has it; SQLite's transactions are IMMEDIATE (config/settings.py), so a claim is alone there.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from processing import events, lifecycle
from processing.errors import LostLease
from processing.events import News
from processing.lifecycle import JobState
from processing.models import Artifact, Job, Worker


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


@dataclass(frozen=True)
class Pulse:
    """What a heartbeat learned: attempts that are no longer ours, and jobs whose owner wants them cancelled."""

    lost: set[uuid.UUID] = field(default_factory=set)
    cancel: set[uuid.UUID] = field(default_factory=set)


def lease() -> Any:
    """The end of a lease that begins now, on the database's clock."""
    return Now() + timedelta(seconds=settings.HEADRACE.lease_seconds)


def _lockable(jobs: Any) -> Any:
    if connection.features.has_select_for_update_skip_locked:
        return jobs.select_for_update(skip_locked=True, of=("self",))
    return jobs


def claim(worker_id: uuid.UUID, queues: Sequence[str], limit: int) -> tuple[list[Job], list[News]]:
    """Take up to `limit` waiting jobs, best first; each gets a new attempt, a lease and its `started` event."""
    waiting = Job.objects.filter(
        state=JobState.QUEUED, cancel_requested_at=None, queue__in=queues, available_at__lte=Now()
    ).order_by("-priority", "created_at")
    if limit < 1 or not waiting.exists():
        return [], []
    with transaction.atomic():
        ids = list(_lockable(waiting).values_list("pk", flat=True)[:limit])
        Job.objects.filter(pk__in=ids).update(
            state=JobState.RUNNING,
            attempt=F("attempt") + 1,
            charged=F("charged") + 1,
            seq=F("seq") + 1,
            worker=worker_id,
            lease_until=lease(),
            started_at=Now(),
            progress=None,
        )
        jobs = sorted(Job.objects.filter(pk__in=ids), key=lambda job: ids.index(job.pk))
        news = [piece for job in jobs for piece in events.write(job, [("started", {})])]
    return jobs, news


def heartbeat(worker_id: uuid.UUID, running: Mapping[uuid.UUID, int], progress: Mapping[uuid.UUID, Any]) -> Pulse:
    """Renew the worker and its leases, save the newest progress, and learn what became of the jobs.

    `running` is {job: attempt}; `progress` {job: value} for those that have a new one.
    """
    Worker.objects.filter(pk=worker_id).update(heartbeat_at=Now())
    pulse = Pulse()
    for job_id, attempt in running.items():
        changes = {"progress": progress[job_id]} if job_id in progress else {}
        if not Job.objects.running(job_id, attempt).update(lease_until=lease(), **changes):
            pulse.lost.add(job_id)
    wanted = Job.objects.filter(pk__in=list(running), cancel_requested_at__isnull=False)
    pulse.cancel.update(wanted.values_list("pk", flat=True))
    return pulse


def record(job: Job, happened: Sequence[events.EventData]) -> list[News]:
    """Durable events of a running attempt. Raises LostLease."""
    news = events.append(job, happened)
    events.trim(job.pk, settings.HEADRACE.events_kept)
    return news


def finish(job: Job, outcome: Outcome) -> list[News]:
    """Write the one terminal state, its event and its artifacts. Raises LostLease: then the outcome must be thrown away."""
    with transaction.atomic():
        adopted = [_adopt(job, artifact) for artifact in outcome.artifacts]
        by_kind = {new.is_result: row for new, row in zip(outcome.artifacts, adopted, strict=True)}
        job.result_artifact = by_kind.get(True)
        event = _terminal_event(job, outcome, [a for a in adopted if a is not job.result_artifact])
        return events.append(
            job,
            [event],
            state=outcome.state,
            result=outcome.result,
            result_artifact=job.result_artifact,
            error_code=outcome.error_code,
            error_message=outcome.error_message,
            traceback=outcome.traceback,
            finished_at=Now(),
            lease_until=None,
        )


def _adopt(job: Job, new: NewArtifact) -> Artifact:
    return Artifact.objects.create(
        job=job,
        attempt=job.attempt,
        name=new.name,
        content_type=new.content_type,
        size=new.size,
        sha256=new.sha256,
        storage_name=new.storage_name,
    )


def _terminal_event(job: Job, outcome: Outcome, artifacts: Sequence[Artifact]) -> events.EventData:
    if outcome.state == JobState.SUCCEEDED:
        return "succeeded", {
            "result": outcome.result,
            "result_url": events.result_url(job),
            "artifacts": [events.artifact_message(artifact) for artifact in artifacts],
        }
    if outcome.state == JobState.CANCELLED:
        return "cancelled", {}
    return "failed", {"error": {"code": outcome.error_code, "message": outcome.error_message}}


def release(job: Job, *, charge: bool, reason: str, delay_seconds: float = 0) -> list[News]:
    """Give a running attempt back: QUEUED again, or CANCELLED or FAILED where its owner or its attempts say so.

    A drain gives back uncharged; a lost worker or a retry charges. Raises LostLease.
    """
    fresh = Job.objects.values("charged", "max_attempts", "cancel_requested_at").get(pk=job.pk)
    charged = fresh["charged"] if charge else max(0, fresh["charged"] - 1)
    then = lifecycle.after_lost_attempt(
        charged=charged, max_attempts=fresh["max_attempts"], cancel_requested=fresh["cancel_requested_at"] is not None
    )
    if then == JobState.CANCELLED:
        return finish(job, Outcome(JobState.CANCELLED))
    if then == JobState.FAILED:
        message = f"It was tried {charged} times and each time its worker was lost."
        return finish(job, Outcome(JobState.FAILED, error_code="attempts_exhausted", error_message=message))
    return events.append(
        job,
        [("retrying", {"reason": reason, "delay_seconds": delay_seconds})],
        state=JobState.QUEUED,
        charged=charged,
        available_at=Now() + timedelta(seconds=delay_seconds),
        lease_until=None,
        worker=None,
        progress=None,
    )


def requeue_lost() -> list[News]:
    """Take back every job whose lease has ended; any worker may do it, the fence lets one win."""
    news: list[News] = []
    for job in Job.objects.filter(state=JobState.RUNNING, lease_until__lt=Now())[:100]:
        try:
            news += release(job, charge=True, reason="worker_lost")
        except LostLease:
            continue
    return news


def register(worker: Worker) -> None:
    """Write a worker's row at its start."""
    worker.started_at = worker.heartbeat_at = Now()
    worker.save(force_insert=True)


def sign_off(worker_id: uuid.UUID) -> None:
    """Write that a worker stopped in good order."""
    Worker.objects.filter(pk=worker_id).update(stopped_at=Now())
