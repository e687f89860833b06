"""The figures that operators look at."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from processing import overview
from processing.lifecycle import JobState
from processing.models import Artifact, Job
from tests.unit.admin_rows import make_job, make_worker

pytestmark = pytest.mark.django_db


def test_an_empty_site() -> None:
    now = overview.figures()
    assert set(now.counts.values()) == {0}
    assert (now.oldest_seconds, now.failed_lately, now.workers_alive, now.workers) == (None, 0, 0, 0)


def test_counts_failures_of_an_hour_and_the_oldest_in_line(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    make_job(state=JobState.RUNNING)
    make_job(state=JobState.QUEUED, available_at=now - timedelta(seconds=40))
    make_job(state=JobState.QUEUED, available_at=now + timedelta(seconds=40))
    make_job(state=JobState.FAILED)
    make_job(state=JobState.FAILED, finished_at=now - timedelta(minutes=61))
    with django_assert_num_queries(4):
        figures = overview.figures()
    assert figures.counts[JobState.RUNNING] == 1
    assert figures.counts[JobState.QUEUED] == 2
    assert figures.counts[JobState.FAILED] == 2
    assert figures.failed_lately == 1
    assert figures.oldest_seconds is not None
    assert 40 <= figures.oldest_seconds < 50


def test_workers_are_alive_for_a_lease_and_missed_for_an_hour() -> None:
    make_worker(silent=5)
    make_worker(silent=120)
    make_worker(silent=4000)
    make_worker(stopped_at=timezone.now())
    figures = overview.figures()
    assert (figures.workers_alive, figures.workers) == (1, 2)


def test_states_of_a_worker_agree_with_the_filters() -> None:
    rows = {
        "Alive": make_worker(silent=5),
        "Lost": make_worker(silent=120),
        "Stopped": make_worker(silent=120, stopped_at=timezone.now()),
    }
    for word, worker in rows.items():
        assert overview.worker_state(worker).word == word
        model = type(worker).objects
        assert list(model.filter(overview.WORKERS[word.lower()]())) == [worker]


def test_a_list_knows_the_place_in_line_and_the_results() -> None:
    first = make_job("1", JobState.QUEUED)
    second = make_job("2", JobState.QUEUED)
    urgent = make_job("3", JobState.QUEUED, priority=5)
    elsewhere = make_job("4", JobState.QUEUED, queue="slow")
    again = make_job("5", JobState.QUEUED, queue="again", attempt=1)
    done = make_job("6", JobState.SUCCEEDED, result={"rows": 3})
    for number in range(2):
        Artifact.objects.create(
            job=done, attempt=1, name=f"{number}", content_type="text/csv", size=1, storage_name="s"
        )
    reasons = {job.pk: overview.reason(job) for job in overview.listed(Job.objects.all())}
    assert reasons == {
        urgent.pk: "1st in line",
        first.pk: "2nd in line",
        second.pk: "3rd in line",
        elsewhere.pk: "1st in line",
        again.pk: "1st in line, attempt 2",
        done.pk: "3 results",
    }


def test_reasons_of_the_others() -> None:
    assert overview.reason(make_job(state=JobState.FAILED, error_message="Row\u202e 17")) == "Row⟨U+202E⟩ 17"
    assert overview.reason(make_job(state=JobState.RUNNING, progress={"done": 1, "total": 2})) == "50\u00a0%"
    assert overview.reason(make_job(state=JobState.CANCELLED)) == ""


def test_a_list_is_one_query_without_bulky_columns(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(5):
        make_job(result={"large": "x"})
    with django_assert_num_queries(1) as captured:
        rows = [overview.row(job) for job in overview.recent()]
    assert len(rows) == 5
    assert '"traceback"' not in captured.captured_queries[0]["sql"]
    assert overview.recent(JobState.FAILED) == []
