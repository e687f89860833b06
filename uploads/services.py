"""What can be done with an upload, on whatever transport it comes: open, resume, abort, delete, expire. Sync, for a
thread.

uploads/sealing.py completes it.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from processing import doorbell
from processing import services as jobs
from processing.access import Principal, hash_token, new_token
from processing.errors import Conflict, HeadraceError, NotFound
from processing.models import Job
from uploads import sealing
from uploads.errors import DigestMismatch, Expired, TooLarge
from uploads.models import Upload
from uploads.store import store
from uploads.store.base import Missing, Writer

State = Upload.State


@dataclass(frozen=True)
class Wanted:
    """What a client says of a file before its bytes. `processor` None: the default one; "" : none."""

    name: str
    size: int | None = None
    content_type: str = ""
    modified: datetime | None = None
    sha256: str = ""
    processor: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass
class Held:
    """An upload in a writer's hands; `writer` is None where nothing more is to come. `token` is set at the opening
    alone.
    """

    upload: Upload
    writer: Writer | None
    token: str = ""
    job: Job | None = None


def open_upload(principal: Principal, wanted: Wanted, channel: str = "") -> Held:
    """Make an upload and take it, or take the one that this owner opened under the same key.

    Raises TooLarge, Conflict (the key is another file's), and what `processing.services.check` raises.
    """
    processor = settings.HEADRACE.default_processor if wanted.processor is None else wanted.processor
    limit = settings.HEADRACE.upload_bytes
    if wanted.size is not None and wanted.size > limit:
        raise TooLarge(f"The file is larger than the {limit} bytes allowed.", limit=limit)
    params = jobs.check(processor, wanted.params, wanted.content_type) if processor else {}
    key = wanted.key if principal.owner else ""
    same = _live_with_key(principal.owner, key)
    if same is None:
        try:
            return _create(principal, wanted, processor, params, key, channel)
        except IntegrityError:
            same = _live_with_key(principal.owner, key)
            if same is None:
                raise
    if not _is_same(same, wanted, processor, params):
        raise Conflict("This key was used for another file.")
    held = _take(same, channel)
    held.token = ""
    return held


def resume(principal: Principal, upload_id: uuid.UUID, token: str | None = None, channel: str = "") -> Held:
    """Take over an upload: the newest writer wins. Raises NotFound, Expired, and the error it failed with."""
    return _take(find(principal, upload_id, token), channel)


def find(principal: Principal, upload_id: uuid.UUID, token: str | None = None) -> Upload:
    """The upload, if it is the asker's. Raises NotFound else."""
    upload = Upload.objects.filter(pk=upload_id).first()
    if upload is None or not principal.may(upload.owner, upload.token_hash, token):
        raise NotFound("There is no such upload.")
    return upload


def unfinished(principal: Principal) -> list[Upload]:
    """The asker's own uploads that wait for bytes, newest first, each with its offset as the store has it."""
    if not principal.owner:
        return []
    found = list(Upload.objects.filter(owner=principal.owner, state=State.RECEIVING, expires_at__gt=Now())[:200])
    for upload in found:
        try:
            upload.offset = store().size(upload.pk)
        except Missing:
            upload.offset = 0
    return found


def abort(upload: Upload) -> None:
    """Delete an upload that is not whole. Nothing happens once sealing has begun (Conflict)."""
    if not end(upload, State.ABORTED):
        raise Conflict("The upload is already complete.")


def fail(upload: Upload, error: HeadraceError) -> None:
    """End an upload that can never be whole, and delete what is stored of it."""
    end(upload, State.FAILED, error_code=error.code, error_message=error.message)


def fail_too_large(upload: Upload) -> None:
    """End an upload whose client sent more than it may."""
    fail(upload, TooLarge())


def error_of(upload: Upload) -> HeadraceError:
    """Why an upload came to nothing, as the error to tell a client that asks for it."""
    if upload.error_code == DigestMismatch.code:
        return DigestMismatch()
    if upload.error_code == TooLarge.code:
        return TooLarge()
    if upload.state in (State.EXPIRED, State.RECEIVING):
        return Expired("This upload was not finished in time and is gone; send the file again.")
    return NotFound("This upload was given up; send the file again.")


def create_job(upload: Upload, processor: str, params: dict[str, Any], reply_channel: str = "") -> Job:
    """Another job over a stored upload. Raises Conflict before it is stored, and what `submit` raises."""
    if upload.state != State.COMPLETE:
        raise Conflict("The upload is not complete yet.")
    return sealing.submit(upload, processor, params, reply_channel=reply_channel)


def delete(upload: Upload) -> None:
    """Delete a stored file, its jobs and their artifacts. Raises Conflict while a job runs."""
    if upload.state == State.RECEIVING:
        abort(upload)
        return
    if upload.state == State.SEALING:
        raise Conflict("The upload is being sealed; try again in a moment.")
    with transaction.atomic():
        names = jobs.delete_for(sealing.source_of(upload))
        Upload.objects.filter(pk=upload.pk).delete()
    store().delete(upload.pk)
    jobs.delete_artifacts(names)


def expire_abandoned() -> int:
    """Delete uploads that nobody finished in time: a chore of every worker."""
    late = Upload.objects.filter(state=State.RECEIVING, expires_at__lt=Now())[:100]
    return sum(end(upload, State.EXPIRED, error_code="expired") for upload in late)


def _expiry() -> Any:
    return Now() + timedelta(seconds=settings.HEADRACE.upload_expires_seconds)


def _live_with_key(owner: str, key: str) -> Upload | None:
    if not key:
        return None
    return Upload.objects.filter(
        owner=owner, key=key, state__in=[State.RECEIVING, State.SEALING, State.COMPLETE]
    ).first()


def _is_same(upload: Upload, wanted: Wanted, processor: str, params: dict[str, Any]) -> bool:
    asked = (wanted.name, wanted.sha256, processor, params)
    sizes = wanted.size is None or upload.size is None or wanted.size == upload.size
    return sizes and asked == (upload.name, upload.declared_sha256, upload.processor, upload.params)


def _create(
    principal: Principal, wanted: Wanted, processor: str, params: dict[str, Any], key: str, channel: str
) -> Held:
    token = new_token()
    upload = Upload(
        name=wanted.name,
        size=wanted.size,
        content_type=wanted.content_type,
        modified=wanted.modified,
        declared_sha256=wanted.sha256,
        user_id=principal.user_id,
        owner=principal.owner,
        token_hash=hash_token(token),
        key=key,
        processor=processor,
        params=params,
        epoch=1,
        writer_channel=channel,
        expires_at=_expiry(),
    )
    with transaction.atomic():
        upload.save(force_insert=True)
        writer = store().open(upload.pk, upload.epoch, new=True)
    upload.refresh_from_db()
    return Held(upload, writer, token)


def _take(upload: Upload, channel: str) -> Held:
    """Become the newest writer, and tell the one before; or learn what became of the upload."""
    older = upload.writer_channel
    taken = Upload.objects.filter(pk=upload.pk, state=State.RECEIVING, expires_at__gt=Now()).update(
        epoch=F("epoch") + 1, writer_channel=channel, expires_at=_expiry(), updated_at=Now()
    )
    upload.refresh_from_db()
    if not taken:
        return _ended(upload)
    try:
        writer = store().open(upload.pk, upload.epoch)
    except Missing:
        fail(upload, NotFound("Its stored bytes are gone."))
        raise NotFound("What was stored of this upload is gone; send the file again.") from None
    if older and older != channel:
        doorbell.ring_channel(older, {"type": "upload.taken", "upload": str(upload.pk), "epoch": upload.epoch})
    upload.offset = writer.offset
    return Held(upload, writer)


def _ended(upload: Upload) -> Held:
    if upload.state in (State.SEALING, State.COMPLETE):
        return Held(upload, None, job=sealing.job_of(upload))
    raise error_of(upload)


def end(upload: Upload, state: Upload.State, **changes: Any) -> bool:
    """RECEIVING to an end without a blob: the row first, then the bytes. False where it is not RECEIVING any more."""
    ended = Upload.objects.filter(pk=upload.pk, state=State.RECEIVING).update(state=state, updated_at=Now(), **changes)
    if ended:
        store().delete(upload.pk)
    return bool(ended)
