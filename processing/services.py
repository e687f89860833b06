"""What people and other apps do with jobs: submit, look, cancel, retry. Sync, for a database thread.

`submit` runs inside the caller's transaction (uploads completes an upload in the same one); the doorbell rings on
commit.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from processing import doorbell, events, parameters
from processing.access import Principal
from processing.api import Processor
from processing.errors import BadParams, Conflict, NotFound, TypeRejected
from processing.lifecycle import FINAL, JobState
from processing.models import Job
from processing.registry import registry


@dataclass(frozen=True)
class Input:
    """What a job reads: a Django storage alias and a name in it. Size and digest are null until it is sealed."""

    storage: str
    name: str
    title: str
    size: int | None
    sha256: str | None
    content_type: str = ""


@dataclass(frozen=True)
class Owning:
    """Whose a job is: the owner's name, their account if any, and the hash of the capability that opens it."""

    owner: str = ""
    user_id: int | None = None
    capability_hash: str = ""


def check(processor: str, params: dict[str, Any], content_type: str = "") -> dict[str, Any]:
    """The validated parameters. Raises UnknownProcessor, TypeRejected, BadParams (names the field)."""
    found = registry().get(processor)
    if content_type and not found.takes(content_type):
        raise TypeRejected(f"{processor} takes {', '.join(found.accepts)}, not {content_type}")
    if not isinstance(params, dict):
        raise BadParams("params must be an object")
    return parameters.validate(found, params)


def submit(
    source: str,
    given: Input,
    owning: Owning,
    processor: str,
    params: dict[str, Any],
    *,
    unique_key: str | None = None,
    reply_channel: str = "",
    retry_of: Job | None = None,
) -> Job:
    """Make a QUEUED job, with its `queued` event, and ring its queue once the transaction commits.

    With a `unique_key` that is taken, the job that took it is the answer. Raises what `check` raises.
    """
    params = check(processor, params)
    taken = Job.objects.filter(unique_key=unique_key) if unique_key else Job.objects.none()
    if there := taken.first():
        return there
    job = _queued(registry().get(processor), params, given, owning)
    job.source, job.unique_key, job.retry_of, job.reply_channel = source, unique_key, retry_of, reply_channel
    try:
        _insert(job)
    except IntegrityError:
        if there := taken.all().first():  # another was quicker
            return there
        raise
    return job


def _queued(processor: Processor, params: dict[str, Any], given: Input, owning: Owning) -> Job:
    """A QUEUED row that is not saved yet; its first event takes seq 1."""
    return Job(
        name=given.title,
        processor=processor.name,
        params=params,
        queue=processor.queue,
        max_attempts=processor.max_attempts,
        owner=owning.owner,
        user_id=owning.user_id,
        capability_hash=owning.capability_hash,
        input_storage=given.storage,
        input_name=given.name,
        input_size=given.size,
        input_sha256=given.sha256,
        content_type=given.content_type,
        available_at=Now(),
        seq=1,
    )


def _insert(job: Job) -> None:
    with transaction.atomic():
        job.save(force_insert=True)
        job.refresh_from_db()
        events.announce_on_commit(events.write(job, [("queued", {})]))
        _ring_on_commit(job)


def find(principal: Principal, job_id: uuid.UUID, token: str | None = None) -> Job:
    """The job, if it is the asker's. Raises NotFound else: what is another's does not exist."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not principal.may(job.owner, job.capability_hash, token):
        raise NotFound("There is no such job.")
    return job


def listing(principal: Principal, *, state: str = "", before: uuid.UUID | None = None, limit: int = 50) -> list[Job]:
    """The asker's own jobs, newest first."""
    jobs = Job.objects.owned_by(principal.owner)
    if state:
        jobs = jobs.filter(state=state)
    if before and (mark := Job.objects.filter(pk=before).first()):
        jobs = jobs.filter(Q(created_at__lt=mark.created_at) | Q(created_at=mark.created_at, pk__lt=mark.pk))
    return list(jobs.order_by("-created_at", "-pk").prefetch_related("artifacts")[:limit])


def ahead_of(job: Job) -> int:
    """How many jobs wait before this one in its queue."""
    if job.state != JobState.QUEUED:
        return 0
    waiting = Job.objects.filter(state=JobState.QUEUED, queue=job.queue)
    return waiting.filter(
        Q(priority__gt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at)
    ).count()


def request_cancel(job: Job) -> Job:
    """A QUEUED job is cancelled at once; a RUNNING one is stamped, and its worker told; a final one stays as it is."""
    with transaction.atomic():
        hit = Job.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
            state=JobState.CANCELLED, seq=F("seq") + 1, cancel_requested_at=Now(), finished_at=Now()
        )
        if not hit:
            Job.objects.filter(pk=job.pk, state=JobState.RUNNING, cancel_requested_at=None).update(
                cancel_requested_at=Now()
            )
        job.refresh_from_db()
        if hit:
            events.announce_on_commit(events.write(job, [("cancelled", {})]))
        elif job.state == JobState.RUNNING:
            message = {"type": "job.cancel", "job": str(job.pk)}
            transaction.on_commit(lambda: doorbell.ring(doorbell.WORKERS, message))
    return job


def retry(job: Job, *, reply_channel: str = "") -> Job:
    """A new job over the same input. Raises Conflict while the old one is not at its end."""
    if job.state not in FINAL:
        raise Conflict("This job has not ended yet.")
    return again(job, job.processor, job.params, reply_channel=reply_channel, retry_of=job)


def again(
    job: Job, processor: str, params: dict[str, Any], *, reply_channel: str = "", retry_of: Job | None = None
) -> Job:
    """A new job over the input of `job`, for its owner."""
    given = Input(job.input_storage, job.input_name, job.name, job.input_size, job.input_sha256, job.content_type)
    owning = Owning(job.owner, job.user_id, job.capability_hash)
    return submit(job.source, given, owning, processor, params, reply_channel=reply_channel, retry_of=retry_of)


def input_in_use(storage: str, name: str) -> bool:
    """True while a job that is not at its end reads this input."""
    return Job.objects.filter(input_storage=storage, input_name=name).exclude(state__in=FINAL).exists()


def delete_for(source: str) -> list[str]:
    """Delete the jobs of a source; the names of their artifacts in the storage, for the caller to delete after commit.

    Raises Conflict while one runs.
    """
    jobs = Job.objects.filter(source=source)
    if jobs.exclude(state__in=FINAL).exists():
        raise Conflict("A job still uses this file. Cancel it first.")
    names = [name for job in jobs for name in job.artifacts.values_list("storage_name", flat=True)]
    jobs.delete()
    return names


def _ring_on_commit(job: Job) -> None:
    message = {"type": "job.available", "queue": job.queue}
    transaction.on_commit(lambda: doorbell.ring(doorbell.queue_group(job.queue), message))


def delete_artifacts(names: list[str]) -> None:
    """Delete artifacts from their storage, after the rows are gone."""
    for name in names:
        storages["artifacts"].delete(name)
