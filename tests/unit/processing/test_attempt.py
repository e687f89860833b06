"""What becomes of an attempt: cancelled, out of time, crashed, failed, lost."""

import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.files.storage import storages

from processing import doorbell, leases, services
from processing.models import Artifact, Job
from processing.pulse import Heart
from processing.threads import in_db
from tests.harness.waiting import wait_for
from tests.unit.processing.making import claim_one, expire, make_job, row
from tests.unit.processing.working import Starts, ended, event_names, run, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


async def test_cancel_stops_at_the_next_yield(begin: Starts, tmp_path: Path) -> None:
    await begin(poll_seconds=60, worker_heartbeat_seconds=10)
    mark = tmp_path / "mark"
    job = await in_db(make_job, "touch-and-wait", {"mark": str(mark), "seconds": 60.0})
    await running(job, mark)
    begun = time.monotonic()
    await in_db(services.request_cancel, await in_db(row, job))
    await running(job, mark, "closed")
    assert time.monotonic() - begun < 1
    assert (await ended(job)).state == "cancelled"
    assert (await event_names(job))[-1] == "cancelled"
    assert (await run("empty")).state == "succeeded"


async def test_a_cancel_whose_message_is_lost_is_found_by_the_heartbeat(
    begin: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(worker_heartbeat_seconds=0.3)
    job = await in_db(make_job, "touch-and-wait", {"mark": str(tmp_path / "mark"), "seconds": 60.0})
    await running(job, tmp_path / "mark")
    monkeypatch.setattr(doorbell, "ring", lambda group, message: None)
    await in_db(services.request_cancel, await in_db(row, job))
    assert (await ended(job)).state == "cancelled"


async def test_a_cancel_message_without_a_wish_in_the_row_changes_nothing(begin: Starts, tmp_path: Path) -> None:
    worker = await begin()
    job = await in_db(make_job, "touch-and-wait", {"mark": str(tmp_path / "mark"), "seconds": 0.5})
    await running(job, tmp_path / "mark")
    worker.cancel(job.pk)
    worker.cancel(uuid.uuid4())
    assert (await ended(job)).state == "succeeded"


async def test_what_does_not_yield_is_killed_after_the_grace(begin: Starts, tmp_path: Path) -> None:
    await begin()
    job = await in_db(make_job, "stuck", {"mark": str(tmp_path / "mark")})
    pid = await running(job, tmp_path / "mark")
    await in_db(services.request_cancel, await in_db(row, job))
    begun = time.monotonic()
    assert (await ended(job)).state == "cancelled"
    assert 0.3 < time.monotonic() - begun < 5
    assert not psutil.pid_exists(pid)
    assert (await run("empty")).state == "succeeded"


@pytest.mark.parametrize("processor", ["burns", "sleeps-on"])
async def test_a_time_limit_ends_a_job(begin: Starts, processor: str) -> None:
    await begin()
    job = await run(processor)
    assert (job.state, job.error_code, job.attempt) == ("failed", "time_limit", 1)
    assert "time limit" in job.error_message


@pytest.mark.parametrize(
    ("processor", "words"), [("exits", "exit code 7"), ("segfault", "SIGSEGV"), ("killed", "SIGKILL")]
)
async def test_a_crash_is_tried_again_and_then_says_how_it_ended(begin: Starts, processor: str, words: str) -> None:
    await begin(poll_seconds=0.2)
    job = await run(processor)
    assert (job.state, job.error_code, job.charged) == ("failed", "attempts_exhausted", 2)
    assert job.error_message.startswith("It was tried 2 times.")
    assert words in job.error_message
    assert await event_names(job) == ["queued", "started", "retrying", "started", "failed"]
    assert ("hostile.py" in job.traceback) == (processor == "segfault")
    assert (await run("empty")).state == "succeeded"


async def test_failures_have_their_words(begin: Starts) -> None:
    await begin()
    polite = await run("fail-at", {"row": 2, "seconds": 0.01})
    assert (polite.state, polite.error_code) == ("failed", "bad_row")
    assert polite.error_message == "Row 2 has 2 columns, expected 3."
    crash = await run("crash")
    assert (crash.error_code, crash.error_message) == ("processing_failed", "RuntimeError: an inner detail")
    assert "Traceback" in crash.traceback
    for processor, code in (
        ("hog", "out_of_memory"),
        ("odd-result", "bad_result"),
        ("big-partial", "partial_too_large"),
        ("links", "bad_artifact"),
    ):
        job = await run(processor)
        assert (job.state, job.error_code, job.attempt) == ("failed", code, 1)


async def test_a_lost_lease_throws_the_work_away(
    begin: Starts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(worker_heartbeat_seconds=0.2, concurrency=1)
    mark = tmp_path / "mark"
    job = await in_db(make_job, "touch-and-wait", {"mark": str(mark), "seconds": 3.0})
    pid = await running(job, mark)
    await in_db(lambda: Job.objects.filter(pk=job.pk).update(attempt=7))
    await wait_for(lambda: not psutil.pid_exists(pid), what="its child to be gone")
    now = await in_db(row, job)
    assert (now.state, now.attempt, now.result) == ("running", 7, None)
    assert "is no longer ours" in caplog.text
    assert (await run("empty")).state == "succeeded"


async def test_what_cannot_be_renewed_is_given_up_before_the_lease_ends(
    begin: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: Heart) -> None:
        return None

    monkeypatch.setattr(Heart, "_renew", never)
    await begin(lease_seconds=3, worker_heartbeat_seconds=0.5)
    mark = tmp_path / "mark"
    job = await in_db(make_job, "stuck", {"mark": str(mark)})
    begun = time.monotonic()
    pid = await running(job, mark)
    await wait_for(lambda: not psutil.pid_exists(pid), what="its child to be gone")
    assert time.monotonic() - begun < 3


async def test_a_long_job_keeps_its_lease(begin: Starts) -> None:
    await begin(lease_seconds=1.5, worker_heartbeat_seconds=0.3)
    job = await run("touch-and-wait", {"seconds": 4.0})
    assert (job.state, job.attempt) == ("succeeded", 1)


async def test_anothers_lost_job_is_taken_over(begin: Starts) -> None:
    job = await in_db(make_job, "empty")
    await in_db(claim_one)
    await in_db(expire, job)
    await begin()
    job = await ended(job)
    assert (job.state, job.attempt, job.charged) == ("succeeded", 2, 2)
    assert await event_names(job) == ["queued", "started", "retrying", "started", "succeeded"]


async def test_a_finish_that_comes_late_deletes_what_it_stored(begin: Starts, tmp_path: Path, monkeypatch: Any) -> None:
    finish = leases.finish

    def stolen_first(job: Job, *rest: Any) -> Any:
        Job.objects.filter(pk=job.pk).update(attempt=9)
        return finish(job, *rest)

    await begin()
    monkeypatch.setattr(leases, "finish", stolen_first)
    job = await in_db(make_job, "artifacts")
    await wait_for(lambda: in_db(lambda: row(job).attempt == 9))
    folder = Path(storages["artifacts"].path(f"{job.pk}/1"))
    await wait_for(lambda: folder.exists() is False or not list(folder.iterdir()))
    assert not await in_db(Artifact.objects.exists)
