"""From the last byte to COMPLETE: verify, make durable, and create the job in the same transaction. Sync, for a thread.

SEALING is leased on the row. A sealing whose process died is done again, by the client that comes back or by a worker's
chore; every step may be repeated, and the filtered UPDATE to COMPLETE lets one win. The one room of uploads that
submits jobs.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from processing import services as jobs
from processing.errors import BadParams, HeadraceError, UnknownProcessor
from processing.models import Job
from uploads.errors import DigestMismatch
from uploads.models import Upload
from uploads.store import ALIAS, store
from uploads.store.base import Missing, StaleEpoch, Writer

logger = logging.getLogger(__name__)

State = Upload.State
LEASE_SECONDS = 60
"""A sealing that takes longer may be begun again beside it."""


def begin(upload: Upload, size: int, sha256: str = "") -> None:
    """RECEIVING -> SEALING: from here on there is no takeover, abort or expiry. Raises StaleEpoch for an older
    writer.
    """
    begun = Upload.objects.filter(pk=upload.pk, epoch=upload.epoch, state=State.RECEIVING).update(
        state=State.SEALING,
        size=size,
        offset=size,
        seal_lease_until=_lease(),
        updated_at=Now(),
        finish_sha256=sha256.lower(),
    )
    if not begun:
        raise StaleEpoch(upload.pk)


def complete(upload: Upload, writer: Writer, sha256: str = "", reply_channel: str = "") -> tuple[Upload, Job | None]:
    """Seal all that the writer has stored; the upload as it is then, and its job.

    Raises StaleEpoch where another writer has it, DigestMismatch (the upload has failed then, nothing of it stays).
    """
    begin(upload, writer.offset, sha256)
    upload.finish_sha256 = sha256.lower()
    return _seal(upload, writer.digest(), reply_channel)


def again(upload: Upload) -> bool:
    """Take over a sealing whose lease has ended, and do it. False where somebody is at it, or it is over."""
    late = Upload.objects.filter(pk=upload.pk, state=State.SEALING, seal_lease_until__lt=Now())
    if not late.update(seal_lease_until=_lease()):
        return False
    try:
        _seal(upload, store().digest(upload.pk), upload.writer_channel)
    except Missing:
        _fail(upload, HeadraceError("Its stored bytes are gone."))
    except DigestMismatch as error:
        logger.warning("upload %s: %s", upload.pk, error)
    return True


def reseal_left_behind() -> int:
    """Finish the sealings whose process died: a chore of every worker."""
    late = Upload.objects.filter(state=State.SEALING, seal_lease_until__lt=Now())[:20]
    return sum(again(upload) for upload in late)


def source_of(upload: Upload) -> str:
    """How a job names where its input came from."""
    return f"upload:{upload.pk}"


def job_of(upload: Upload) -> Job | None:
    """The job that completing this upload made."""
    return Job.objects.filter(unique_key=source_of(upload)).first()


def submit(
    upload: Upload, processor: str, params: dict[str, Any], *, reply_channel: str = "", unique_key: str | None = None
) -> Job:
    """A job over a stored upload. Raises what `processing.services.submit` raises."""
    given = jobs.Input(ALIAS, store().name(upload.pk), upload.name, upload.size, upload.sha256, upload.content_type)
    owning = jobs.Owning(upload.owner, upload.user_id, upload.token_hash)
    return jobs.submit(
        source_of(upload), given, owning, processor, params, unique_key=unique_key, reply_channel=reply_channel
    )


def _lease() -> Any:
    return Now() + timedelta(seconds=LEASE_SECONDS)


def _seal(upload: Upload, digest: str, reply_channel: str) -> tuple[Upload, Job | None]:
    if {upload.declared_sha256, upload.finish_sha256} - {"", digest}:
        error = DigestMismatch()
        _fail(upload, error)
        raise error
    store().publish(upload.pk)
    with transaction.atomic():
        sealed = Upload.objects.filter(pk=upload.pk, state=State.SEALING).update(
            state=State.COMPLETE, sha256=digest, completed_at=Now(), seal_lease_until=None, updated_at=Now()
        )
        upload.refresh_from_db()
        job = _first_job(upload, reply_channel) if sealed and upload.processor else job_of(upload)
    return upload, job


def _first_job(upload: Upload, reply_channel: str) -> Job | None:
    key = source_of(upload)
    try:
        return submit(upload, upload.processor, upload.params, reply_channel=reply_channel, unique_key=key)
    except (UnknownProcessor, BadParams) as error:
        # The processor went away, or changed, while the file travelled: the file is kept, another job can be made.
        logger.warning("upload %s is stored, its job could not be made: %s", upload.pk, error)
        Upload.objects.filter(pk=upload.pk).update(error_code=error.code, error_message=error.message)
        return None


def _fail(upload: Upload, error: HeadraceError) -> None:
    failed = Upload.objects.filter(pk=upload.pk, state=State.SEALING).update(
        state=State.FAILED, error_code=error.code, error_message=error.message, seal_lease_until=None, updated_at=Now()
    )
    if failed:
        store().delete(upload.pk)
