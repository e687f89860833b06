"""What staff read on a job's page."""

import pytest
from django.utils import timezone

from processing import job_page
from processing.lifecycle import JobState
from processing.models import Artifact, JobEvent
from tests.unit.admin_rows import HOSTILE, make_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("event", "data", "text"),
    [
        ("queued", {}, ""),
        ("log", {"level": "warning", "message": "row 17\u202e"}, "warning: row 17⟨U+202E⟩"),
        ("retrying", {"reason": "worker_lost", "delay_seconds": 3}, "worker lost, in 3 s"),
        ("retrying", {"reason": "drained", "delay_seconds": 0}, "drained"),
        ("failed", {"error": {"code": "x", "message": "No such row"}}, "No such row"),
        ("failed", {"error": None}, ""),
        ("succeeded", {"artifacts": [1, 2], "result": 7}, "2 files"),
        ("succeeded", {}, ""),
        ("partial", {"data": [["Vevey", 1]]}, '[["Vevey", 1]]'),
        ("partial", {"data": "x" * 900}, "x" * 500 + "…"),
        ("log", ["not", "an", "object"], "info: "),
    ],
)
def test_an_event_in_words(event: str, data: object, text: str) -> None:
    assert job_page.event_text(JobEvent(event=event, data=data)) == text


def test_the_timeline_has_turns_alone() -> None:
    job = make_job()
    JobEvent.objects.create(job=job, seq=9, attempt=1, event="log", data={"message": "m"}, created_at=timezone.now())
    assert [turn["row"].event for turn in job_page.timeline(job)] == ["queued", "started", "succeeded"]
    assert [bool(turn["after"]) for turn in job_page.timeline(job)] == [False, True, True]


def test_of_many_events_the_newest_are_shown() -> None:
    job = make_job(state=JobState.RUNNING)
    now = timezone.now()
    logs = [JobEvent(job=job, seq=n, attempt=1, event="log", created_at=now) for n in range(3, 301)]
    JobEvent.objects.bulk_create(logs)
    shown = job_page.events(job)
    assert [event["row"].seq for event in shown["events"]] == list(range(101, 301))
    assert shown["earlier"] == 100
    everything = job_page.events(job, everything=True)
    assert len(everything["events"]) == 300
    assert everything["earlier"] == 0


def test_a_large_result_is_a_file_and_no_artifact() -> None:
    job = make_job(result=None)
    made = [
        Artifact.objects.create(job=job, attempt=1, name=name, content_type="text/csv", size=1, storage_name=name)
        for name in ("result.json", HOSTILE)
    ]
    job.result_artifact = made[0]
    outcome = job_page.outcome(job)
    assert outcome["result"] == ""
    assert outcome["result_url"] == f"/admin/processing/job/{job.pk}/files/{made[0].pk}/"
    (artifact,) = outcome["artifacts"]
    assert artifact["name"] == '<script>alert("x")</script>⟨U+202E⟩gpj.exe␇'
