"""Uploads in the database and the store: open, resume, seal, abort, expire."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from processing.access import NOBODY, Principal
from processing.errors import BadParams, Conflict, NotFound, UnknownProcessor
from processing.models import Job
from uploads import sealing, services
from uploads.errors import DigestMismatch, Expired, TooLarge
from uploads.models import Upload
from uploads.services import Held, Wanted
from uploads.store import store
from uploads.store.base import StaleEpoch

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Principal(session="ada's browser")
BOB = Principal(session="bob's browser")
State = Upload.State


def opened(principal: Principal = ADA, body: bytes = b"", **wanted: Any) -> Held:
    held = services.open_upload(principal, Wanted(**{"name": "a.txt", **wanted}))
    if body:
        assert held.writer is not None
        held.writer.append([body])
    return held


def seal(held: Held, sha256: str = "", channel: str = "") -> tuple[Upload, Job | None]:
    assert held.writer is not None
    return sealing.complete(held.upload, held.writer, sha256, channel)


def on_disk(upload: Upload) -> list[str]:
    folder = Path(storages["uploads"].path(upload.pk.hex[:2]))
    return sorted(path.name.removeprefix(upload.pk.hex) for path in folder.glob(f"{upload.pk.hex}*"))


def test_completing_makes_one_job_in_the_same_transaction() -> None:
    upload, job = seal(opened(body=b"hello"), channel="specific.1")
    assert (upload.state, upload.size, upload.sha256) == (State.COMPLETE, 5, hashlib.sha256(b"hello").hexdigest())
    assert job is not None
    assert (job.processor, job.input_size, job.input_sha256) == ("inspect", 5, upload.sha256)
    assert (job.owner, job.capability_hash, job.reply_channel) == (ADA.owner, upload.token_hash, "specific.1")
    with storages["uploads"].open(job.input_name) as file:
        assert file.read() == b"hello"


def test_a_failed_submit_leaves_the_upload_unsealed_and_a_rerun_makes_the_one_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = opened(body=b"hello")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(sealing, "submit", broken)
        seal(held)
    held.upload.refresh_from_db()
    assert held.upload.state == State.SEALING
    assert not sealing.again(held.upload), "its lease has not ended"
    Upload.objects.update(seal_lease_until=timezone.now() - timedelta(seconds=1))
    held.upload.refresh_from_db()
    assert sealing.reseal_left_behind() == 1
    held.upload.refresh_from_db()
    assert held.upload.state == State.COMPLETE
    assert Job.objects.filter(unique_key=sealing.source_of(held.upload)).count() == 1
    assert not sealing.again(held.upload)


def test_a_digest_that_differs_fails_the_upload_and_leaves_nothing() -> None:
    for held, declared in ((opened(body=b"x", sha256="0" * 64), ""), (opened(body=b"x"), "1" * 64)):
        with pytest.raises(DigestMismatch):
            seal(held, declared)
        held.upload.refresh_from_db()
        assert (held.upload.state, held.upload.error_code) == (State.FAILED, "digest_mismatch")
        assert on_disk(held.upload) == []
        with pytest.raises(DigestMismatch):
            services.resume(ADA, held.upload.pk)
    assert not Job.objects.exists()


def test_a_digest_named_by_finish_alone_is_checked_by_a_rerun_too() -> None:
    held = opened(body=b"x")
    sealing.begin(held.upload, 1, "2" * 64)
    Upload.objects.update(seal_lease_until=timezone.now() - timedelta(seconds=1))
    assert sealing.reseal_left_behind() == 1
    held.upload.refresh_from_db()
    assert held.upload.state == State.FAILED


def test_the_newest_writer_wins() -> None:
    older = opened(body=b"one")
    newer = services.resume(ADA, older.upload.pk)
    assert newer.writer is not None
    assert newer.writer.offset == 3
    with pytest.raises(StaleEpoch):
        seal(older)
    upload, _ = seal(newer)
    assert upload.state == State.COMPLETE
    again = services.resume(ADA, upload.pk)
    assert again.writer is None
    assert again.job is not None


def test_no_takeover_abort_or_expiry_once_sealing_has_begun() -> None:
    held = opened(body=b"x")
    sealing.begin(held.upload, 1)
    assert services.resume(ADA, held.upload.pk).writer is None
    with pytest.raises(Conflict):
        services.abort(held.upload)
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert services.expire_abandoned() == 0
    assert on_disk(held.upload) == [".epoch", ".part"]


@pytest.mark.parametrize("asker", [BOB, NOBODY])
def test_what_is_anothers_does_not_exist(asker: Principal) -> None:
    held = opened(body=b"x")
    with pytest.raises(NotFound):
        services.resume(asker, held.upload.pk)
    with pytest.raises(NotFound):
        services.resume(asker, held.upload.pk, "a guess")
    assert services.resume(asker, held.upload.pk, held.token).writer is not None
    assert services.unfinished(asker) == []


def test_nobodys_upload_opens_with_its_token_alone() -> None:
    held = opened(NOBODY, body=b"x")
    with pytest.raises(NotFound):
        services.resume(NOBODY, held.upload.pk)
    assert services.resume(BOB, held.upload.pk, held.token).upload.owner == ""
    assert held.token not in str(list(Upload.objects.values()))


def test_a_key_is_one_upload_until_that_has_ended() -> None:
    first = opened(key="k", body=b"half")
    again = opened(key="k")
    assert (again.upload.pk, again.token) == (first.upload.pk, "")
    assert again.writer is not None
    assert again.writer.offset == 4
    assert opened(BOB, key="k").upload.pk != first.upload.pk
    assert opened(NOBODY, key="k").upload.pk != opened(NOBODY, key="k").upload.pk
    with pytest.raises(Conflict):
        opened(key="k", name="other.txt")
    with pytest.raises(Conflict):
        opened(key="k", processor="word-count")
    services.abort(first.upload)
    assert opened(key="k").upload.pk != first.upload.pk


def test_bad_wishes_are_refused_before_anything_is_made() -> None:
    for wanted, error in (
        ({"processor": "nonsense"}, UnknownProcessor),
        ({"processor": "word-count", "params": {"top": 0}}, BadParams),
        ({"size": 2**60}, TooLarge),
    ):
        with pytest.raises(error):
            opened(**wanted)
    assert not Upload.objects.exists()


def test_no_processor_wanted_makes_no_job() -> None:
    upload, job = seal(opened(body=b"x", processor=""))
    assert (upload.state, job) == (State.COMPLETE, None)


def test_a_processor_that_went_away_keeps_the_file() -> None:
    held = opened(body=b"x")
    Upload.objects.update(processor="gone")
    held.upload.refresh_from_db()
    upload, job = seal(held)
    assert (upload.state, job) == (State.COMPLETE, None)
    assert Upload.objects.get().error_code == "unknown_processor"


def test_abandoned_uploads_expire() -> None:
    late, fresh = opened(body=b"late"), opened(body=b"fresh")
    Upload.objects.filter(pk=late.upload.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Expired):
        services.resume(ADA, late.upload.pk)
    assert services.expire_abandoned() == 1
    assert on_disk(late.upload) == []
    assert on_disk(fresh.upload) == [".epoch", ".part"]
    with pytest.raises(Expired):
        services.resume(ADA, late.upload.pk)
    assert [u.pk for u in services.unfinished(ADA)] == [fresh.upload.pk]
    assert services.unfinished(ADA)[0].offset == 5


def test_bytes_that_the_store_lost_are_told() -> None:
    held = opened(body=b"x")
    store().delete(held.upload.pk)
    with pytest.raises(NotFound):
        services.resume(ADA, held.upload.pk)
    held.upload.refresh_from_db()
    assert held.upload.state == State.FAILED


def test_delete_takes_the_jobs_along_but_not_a_running_one() -> None:
    upload, job = seal(opened(body=b"x"))
    assert job is not None
    with pytest.raises(Conflict):
        services.delete(upload)
    Job.objects.update(state="succeeded")
    services.delete(upload)
    assert not Job.objects.exists()
    assert not Upload.objects.exists()
    assert on_disk(upload) == []
