"""What happened to a job: durable rows, their wire form, and news of them over the channel layer.

The rows are the truth; `announce` is a hint. Progress is no row of its own: only its newest value matters.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from processing import doorbell, statements
from processing.errors import LostLease
from processing.lifecycle import JobState
from processing.models import Artifact, Job, JobEvent

News = tuple[str, uuid.UUID, dict[str, Any]]
"""(reply channel or "", job, wire message): what `announce` sends."""

EventData = tuple[str, dict[str, Any]]
"""(event, its fields)."""


def append(
    job: Job, happened: Sequence[EventData], *, also: Callable[[], object] | None = None, **changes: Any
) -> list[News]:
    """Write durable events of a running attempt, with `changes` to its row in the same UPDATE and `also` in the same
    transaction.

    The fence is (id, attempt, RUNNING, seq): a running attempt's events are written by its worker alone, so that
    `job.seq` is the number it wrote last. A second call after a commit whose answer was lost finds the first one's rows
    and gives them. Raises LostLease where the attempt runs no more; then nothing was written.
    """
    last = job.seq + len(happened)
    with transaction.atomic():
        if statements.move(job, {"seq": last, **changes}):
            rows = _rows(job, job.seq + 1, happened)
            statements.insert(rows)
            if also is not None:
                also()
        else:
            rows = _written_before(job, last, changes.get("state", JobState.RUNNING))
    job.seq = last
    return _news(job, rows)


def _written_before(job: Job, last: int, state: str) -> list[JobEvent]:
    """The rows of an earlier call whose commit went through unseen. Raises LostLease where there was none."""
    if not Job.objects.filter(pk=job.pk, attempt=job.attempt, state=state, seq=last).exists():
        raise LostLease(f"attempt {job.attempt} of job {job.pk} is over")
    return list(JobEvent.objects.filter(job=job, seq__gt=job.seq, seq__lte=last).order_by("seq"))


def write(job: Job, happened: Sequence[EventData]) -> list[News]:
    """Rows for events whose numbers, up to `job.seq`, the caller's UPDATE has taken in this transaction."""
    rows = _rows(job, job.seq - len(happened) + 1, happened)
    statements.insert(rows)
    return _news(job, rows)


def write_each(jobs: Sequence[Job], event: str) -> list[News]:
    """The same event, without fields, for many jobs whose `seq` is its number."""
    rows = [row for job in jobs for row in _rows(job, job.seq, [(event, {})])]
    statements.insert(rows)
    return [piece for job, row in zip(jobs, rows, strict=True) for piece in _news(job, [row])]


def _rows(job: Job, first: int, happened: Sequence[EventData]) -> list[JobEvent]:
    now = timezone.now()
    return [
        JobEvent(job=job, seq=first + n, attempt=job.attempt, event=event, data=data, created_at=now)
        for n, (event, data) in enumerate(happened)
    ]


def _news(job: Job, rows: Iterable[JobEvent]) -> list[News]:
    return [(job.reply_channel, job.pk, wire(row)) for row in rows]


def trim(job: Job, kept: int) -> None:
    """Forget the oldest durable events where more than twice `kept` are there: `first_seq` tells from where on."""
    if job.seq - job.first_seq < 2 * kept:
        return
    first = job.seq - kept + 1
    with transaction.atomic():
        Job.objects.filter(pk=job.pk).update(first_seq=first)
        JobEvent.objects.filter(job_id=job.pk, seq__lt=first).delete()
    job.first_seq = first


def wire(row: JobEvent) -> dict[str, Any]:
    """A durable event as `job.event` (docs/protocol.md, section 5)."""
    return {
        "type": "job.event",
        "job": str(row.job_id),
        "seq": row.seq,
        "attempt": row.attempt,
        "event": row.event,
        "at": row.created_at.isoformat(),
        **row.data,
    }


def progress(job: Job, value: dict[str, Any]) -> News:
    """Progress as `job.event`; it carries the seq of the last durable event."""
    message = {
        "type": "job.event",
        "job": str(job.pk),
        "seq": job.seq,
        "attempt": job.attempt,
        "event": "progress",
        **value,
    }
    return job.reply_channel, job.pk, message


def replay(job_id: uuid.UUID, after: int, limit: int = 500) -> list[dict[str, Any]]:
    """The durable events after `after`, oldest first, at most `limit`."""
    rows = JobEvent.objects.filter(job_id=job_id, seq__gt=after).order_by("seq")[:limit]
    return [wire(row) for row in rows]


def artifact_message(artifact: Artifact) -> dict[str, Any]:
    """An artifact as it stands in `succeeded` and `job.state`."""
    return {
        "id": str(artifact.pk),
        "name": artifact.name,
        "content_type": artifact.content_type,
        "size": artifact.size,
        "url": f"/api/v1/jobs/{artifact.job_id}/artifacts/{artifact.pk}",
    }


def result_url(job: Job) -> str | None:
    """Where a result that is too large for a message lies."""
    return f"/api/v1/jobs/{job.pk}/result" if job.result_artifact_id else None


def state(job: Job) -> dict[str, Any]:
    """The job as `job.state`. `ahead` is how many wait before it in its queue."""
    own = [artifact_message(a) for a in job.artifacts.all() if a.pk != job.result_artifact_id]
    return {
        "type": "job.state",
        "job": str(job.pk),
        "upload": job.source.removeprefix("upload:") if job.source.startswith("upload:") else None,
        "processor": job.processor,
        "params": job.params,
        "state": job.state,
        "attempt": job.attempt,
        "progress": job.progress,
        "result": job.result,
        "result_url": result_url(job),
        "error": {"code": job.error_code, "message": job.error_message} if job.error_code else None,
        "artifacts": own,
        "seq": job.seq,
        "first_seq": job.first_seq,
        "retry_of": str(job.retry_of_id) if job.retry_of_id else None,
        "name": job.name,
        "size": job.input_size,
        "content_type": job.content_type,
        "cancel_requested": job.cancel_requested_at is not None,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


async def announce(news: Iterable[News]) -> None:
    """Tell the originating socket's channel and the job's group; failures are logged, the rows stay."""
    for reply_channel, job_id, message in news:
        hint = {"type": "job.event", "event": message}
        if reply_channel:
            await doorbell.send(reply_channel, hint)
        await doorbell.group_send(doorbell.job_group(job_id), hint)


def announce_on_commit(news: Iterable[News]) -> None:
    """The same from a transaction in any thread."""
    for reply_channel, job_id, message in news:
        hint = {"type": "job.event", "event": message}
        transaction.on_commit(lambda c=reply_channel, h=hint: doorbell.ring_channel(c, h) if c else None)  # type: ignore[misc]
        transaction.on_commit(lambda j=job_id, h=hint: doorbell.ring(doorbell.job_group(j), h))  # type: ignore[misc]
