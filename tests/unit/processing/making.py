"""Jobs and workers for the tests of processing, without the upload side."""

import uuid
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db.models import F

from processing import leases, presence, services
from processing.models import Job

TEXT = b"to be or not to be"


def stored(content: bytes = TEXT) -> str:
    """A file in the storage `uploads`; its name there."""
    return storages["uploads"].save(f"tests/{uuid.uuid4().hex}", ContentFile(content))


def make_job(processor: str = "word-count", params: dict[str, Any] | None = None, **options: Any) -> Job:
    """A QUEUED job over a small text, through `services.submit`."""
    content = options.pop("content", TEXT)
    given = services.Input("uploads", stored(content), "words.txt", len(content), "0" * 64, "text/plain")
    return services.submit("test:1", given, services.Owning("user:1", None, "h"), processor, params or {}, **options)


def make_worker(queues: tuple[str, ...] = ("default",)) -> uuid.UUID:
    """The row of a worker."""
    worker_id = uuid.uuid4()
    presence.register(worker_id, 2, queues)
    return worker_id


def claim_one(worker_id: uuid.UUID | None = None) -> Job:
    """Claim the one job that waits."""
    jobs, _ = leases.claim(worker_id or make_worker(), ["default"], 1)
    assert len(jobs) == 1, "a job should have been waiting"
    return jobs[0]


def row(job: Job) -> Job:
    """The job as its row is now."""
    return Job.objects.get(pk=job.pk)


def expire(job: Job) -> None:
    """End the lease, as 60 s of silence do."""
    from datetime import timedelta

    Job.objects.filter(pk=job.pk).update(lease_until=F("lease_until") - timedelta(seconds=60))


def events_of(job: Job) -> list[str]:
    """The durable events, oldest first, checked to be numbered without a gap."""
    found = list(job.events.order_by("seq").values_list("seq", "event"))
    first = row(job).first_seq
    assert [seq for seq, _ in found] == list(range(first, first + len(found)))
    assert found[-1][0] == row(job).seq
    return [event for _, event in found]
