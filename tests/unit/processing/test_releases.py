"""Attempts given back: by a drain, after a crash, for a lost worker; and old events trimmed. On Postgres too."""

import uuid
from typing import Any

import pytest
from django.utils import timezone

from processing import leases, services
from processing.leases import Outcome, Release
from processing.lifecycle import JobState
from processing.models import Job, JobEvent
from tests.unit.processing.making import claim_one, events_of, expire, make_job, make_worker, row

pytestmark = pytest.mark.django_db(transaction=True)

DONE = Outcome(JobState.SUCCEEDED, {"total": 6})


def test_a_release_without_charge_gives_the_attempt_back() -> None:
    job = make_job()
    news = leases.release(claim_one(), leases.WORKER_STOPPED)
    now = row(job)
    assert (now.state, now.attempt, now.charged, now.worker_id, now.lease_until) == ("queued", 1, 0, None, None)
    assert news[-1][2]["event"] == "retrying"
    assert news[-1][2]["reason"] == "worker_stopped"
    assert claim_one().attempt == 2


def test_a_charged_release_waits_and_ends_after_max_attempts() -> None:
    job = make_job()
    crashed = Release("crashed", delay_seconds=30, message="The last time it was ended by SIGSEGV.", traceback="deep")
    leases.release(claim_one(), crashed)
    assert leases.claim(make_worker(), ["default"], 1) == ([], [])
    assert row(job).traceback == "deep"
    for _ in range(2):
        Job.objects.update(available_at=timezone.now())
        leases.release(claim_one(), crashed)
    now = row(job)
    assert (now.state, now.charged, now.error_code, now.traceback) == ("failed", 3, "attempts_exhausted", "deep")
    assert now.error_message == "It was tried 3 times. The last time it was ended by SIGSEGV."
    assert events_of(job)[-1] == "failed"


def test_a_release_of_a_stamped_job_cancels_it() -> None:
    job = make_job()
    claimed = claim_one()
    services.request_cancel(row(job))
    leases.release(claimed, leases.WORKER_STOPPED)
    assert row(job).state == "cancelled"
    assert events_of(job) == ["queued", "started", "cancelled"]


def test_only_a_lease_that_has_ended_is_taken_back() -> None:
    job, other = make_job(), make_job()
    leases.claim(make_worker(), ["default"], 2)
    expire(job)
    news = leases.requeue_lost()
    assert [(job_id, message["event"], message["reason"]) for _, job_id, message in news] == [
        (job.pk, "retrying", "worker_lost")
    ]
    assert (row(job).state, row(job).charged) == ("queued", 1)
    assert row(other).state == "running"
    assert leases.requeue_lost() == []


def test_a_lease_renewed_in_the_meantime_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    claimed = claim_one()
    expire(job)
    looked = Job.objects.running

    def renewed_first(job_id: uuid.UUID, attempt: int) -> Any:
        monkeypatch.setattr(Job.objects, "running", looked)
        leases.heartbeat({job_id: attempt}, {})
        return looked(job_id, attempt)

    monkeypatch.setattr(Job.objects, "running", renewed_first)
    assert leases.requeue_lost() == []
    assert row(job).state == "running"
    leases.finish(claimed, DONE)


def test_a_job_lost_too_often_fails() -> None:
    job = make_job()
    for _ in range(3):
        claim_one()
        expire(job)
        leases.requeue_lost()
    now = row(job)
    assert (now.state, now.error_code) == ("failed", "attempts_exhausted")
    assert now.error_message == "It was tried 3 times. Each time the worker that ran it was lost."


def test_old_partials_and_logs_are_trimmed(settings: Any) -> None:
    settings.HEADRACE = settings.HEADRACE.model_copy(update={"events_kept": 10})
    job = make_job()
    claimed = claim_one()
    for number in range(60):
        leases.record(claimed, [("partial", {"data": number})])
    now = row(job)
    assert now.seq == 62
    assert 10 <= JobEvent.objects.filter(job=job).count() <= 21
    assert now.first_seq == JobEvent.objects.filter(job=job).order_by("seq").values_list("seq", flat=True)[0]
    assert set(events_of(job)) == {"partial"}
    leases.finish(claimed, DONE)
    assert events_of(job)[-1] == "succeeded"
