"""What people do with jobs: submit, find, cancel, retry, delete. On Postgres too, as test_leases.py."""

import threading
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connections

from processing import doorbell, leases, services
from processing.access import Principal, hash_token
from processing.errors import BadParams, Conflict, NotFound, TypeRejected, UnknownProcessor
from processing.leases import NewArtifact, Outcome
from processing.lifecycle import JobState
from processing.models import Job
from tests.unit.processing.making import claim_one, events_of, make_job, row

pytestmark = pytest.mark.django_db(transaction=True)

DONE = Outcome(JobState.SUCCEEDED, 1)


def test_a_submitted_job_waits_with_checked_parameters() -> None:
    job = make_job(params={"top": 3}, reply_channel="specific.a!b")
    assert (job.state, job.params["top"], job.queue, job.max_attempts) == ("queued", 3, "default", 3)
    assert (job.seq, job.attempt, job.charged) == (1, 0, 0)
    assert events_of(job) == ["queued"]


def test_what_does_not_fit_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(UnknownProcessor):
        make_job("no-such")
    with pytest.raises(BadParams) as raised:
        make_job(params={"top": "many"})
    assert raised.value.detail["field"] == "top"
    with pytest.raises(BadParams):
        services.check("word-count", [])  # type: ignore[arg-type]
    with pytest.raises(TypeRejected):
        services.check("word-count", {}, "image/png")
    assert not Job.objects.exists()


def test_one_job_per_unique_key() -> None:
    job = make_job(unique_key="upload:1")
    assert make_job(unique_key="upload:1") == job
    assert Job.objects.count() == 1


def test_one_job_per_unique_key_when_two_come_at_once() -> None:
    jobs: list[Job] = []
    problems: list[BaseException] = []
    begin = threading.Barrier(4)

    def work() -> None:
        try:
            begin.wait()
            jobs.append(make_job(unique_key="upload:1"))
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len({job.pk for job in jobs}) == 1
    assert events_of(jobs[0]) == ["queued"]


def test_a_job_is_found_by_its_owner_or_with_its_token_only() -> None:
    job = make_job()
    Job.objects.filter(pk=job.pk).update(owner="user:1", capability_hash=hash_token("secret"))
    assert services.find(Principal(1, "ada"), job.pk) == job
    assert services.find(Principal(2, "bob"), job.pk, "secret") == job
    for principal, job_id, token in (
        (Principal(2, "bob"), job.pk, None),
        (Principal(2, "bob"), job.pk, "guess"),
        (Principal(), job.pk, ""),
        (Principal(1, "ada"), uuid.uuid4(), None),
    ):
        with pytest.raises(NotFound):
            services.find(principal, job_id, token)


def test_a_waiting_job_is_cancelled_at_once() -> None:
    job = services.request_cancel(make_job())
    assert (job.state, job.finished_at is not None) == ("cancelled", True)
    assert events_of(job) == ["queued", "cancelled"]
    assert services.request_cancel(job).state == "cancelled"
    assert events_of(job) == ["queued", "cancelled"]


def test_a_running_job_is_stamped_and_its_worker_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(doorbell, "ring", lambda group, message: rung.append((group, message)))
    job = make_job()
    claimed = claim_one()
    rung.clear()
    stamped = services.request_cancel(row(job))
    assert (stamped.state, stamped.cancel_requested_at is not None) == ("running", True)
    assert rung == [(doorbell.WORKERS, {"type": "job.cancel", "job": str(job.pk)})]
    again = services.request_cancel(row(job))
    assert again.cancel_requested_at == stamped.cancel_requested_at
    leases.finish(claimed, DONE)
    assert row(job).state == "succeeded", "the first terminal UPDATE wins"


def test_a_retry_is_a_new_job_over_the_same_input() -> None:
    job = make_job(params={"top": 2})
    with pytest.raises(Conflict):
        services.retry(job)
    leases.finish(claim_one(), DONE)
    new = services.retry(row(job))
    assert (new.retry_of, new.input_name, new.params, new.owner) == (job, job.input_name, job.params, job.owner)
    assert new.state == "queued"
    assert row(job).state == "succeeded"


def test_a_listing_shows_ones_own_newest_first_in_pages() -> None:
    jobs = [make_job() for _ in range(5)]
    Job.objects.filter(pk=jobs[0].pk).update(owner="user:2")
    mine = [job.pk for job in reversed(jobs[1:])]
    asker = Principal(1, "ada")
    assert [job.pk for job in services.listing(asker)] == mine
    assert [job.pk for job in services.listing(asker, before=mine[1])] == mine[2:]
    assert services.listing(asker, state="failed") == []
    assert services.listing(Principal()) == []


def test_how_many_wait_before_it() -> None:
    first, second, urgent = make_job(), make_job(), make_job()
    Job.objects.filter(pk=urgent.pk).update(priority=1)
    assert [services.ahead_of(row(job)) for job in (urgent, first, second)] == [0, 1, 2]
    claim_one()
    assert services.ahead_of(row(second)) == 1
    assert services.ahead_of(row(urgent)) == 0


def test_an_input_is_in_use_until_its_jobs_have_ended() -> None:
    job = make_job()
    assert services.input_in_use("uploads", job.input_name)
    claimed = claim_one()
    assert services.input_in_use("uploads", job.input_name)
    leases.finish(claimed, DONE)
    assert not services.input_in_use("uploads", job.input_name)


def test_jobs_of_a_source_are_deleted_once_none_runs() -> None:
    make_job()
    claimed = claim_one()
    with pytest.raises(Conflict):
        services.delete_for("test:1")
    kept = storages["artifacts"].save("a/0", ContentFile(b"x"))
    leases.finish(claimed, Outcome(JobState.SUCCEEDED, 1, [NewArtifact("a", "text/plain", 1, "0" * 64, kept)]))
    names = services.delete_for("test:1")
    assert names == [kept]
    assert not Job.objects.exists()
    services.delete_artifacts(names)
    assert not storages["artifacts"].exists(kept)
