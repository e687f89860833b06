"""What goes into a job and what comes out: input, logs, partial results, artifacts, news."""

import asyncio
import hashlib
from typing import Any

import psutil
import pytest
from channels.layers import get_channel_layer
from django.core.files.storage import storages

from processing import events, services
from processing.models import Artifact, JobEvent
from processing.threads import in_db
from tests.harness.waiting import wait_for
from tests.unit.processing.making import make_job
from tests.unit.processing.working import Starts, ended, logs, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


async def test_news_reach_the_socket_that_asked(begin: Starts) -> None:
    await begin(poll_seconds=60)
    layer = get_channel_layer()
    channel = await layer.new_channel()
    job = await in_db(make_job, "partials", {"count": 3, "seconds": 0.6}, reply_channel=channel)
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not heard or heard[-1]["event"] != "succeeded":
            heard.append((await layer.receive(channel))["event"])
    durable = [message for message in heard if message["event"] != "progress"]
    assert [message["seq"] for message in durable] == list(range(1, len(durable) + 1))
    assert durable == await in_db(events.replay, job.pk, 0)
    assert any(message["event"] == "progress" for message in heard)


async def test_a_missing_input_is_said(begin: Starts) -> None:
    await begin()
    given = services.Input("uploads", "no/such", "a.txt", 1, "0" * 64)
    job = await in_db(services.submit, "test:1", given, services.Owning(), "empty", {})
    assert (await ended(job)).error_code == "input_missing"
    given = services.Input("no-such-storage", "a", "a.txt", 1, "0" * 64)
    job = await in_db(services.submit, "test:1", given, services.Owning(), "empty", {})
    assert (await ended(job)).error_code == "input_missing"


async def test_an_input_without_a_real_file_is_spooled(begin: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.inputs._open", lambda storage, name: None)
    await begin()
    job = await run("word-count", content=b"one two two\n" * 300_000)
    assert job.result == {"total": 900_000, "top": [["two", 600_000], ["one", 300_000]]}
    given = services.Input("uploads", "no/such", "a.txt", 1, "0" * 64)
    job = await in_db(services.submit, "test:1", given, services.Owning(), "empty", {})
    assert (await ended(job)).error_code == "input_missing"


async def test_what_it_says_becomes_the_jobs_log(begin: Starts) -> None:
    await begin()
    job = await run("chatty")
    assert job.state == "succeeded"
    assert set(await logs(job)) == {
        ("info", "printed"),
        ("warning", "to standard error"),
        ("warning", "logged 7"),
        ("info", "from a subprocess"),
        ("error", "said"),
        ("info", "without an end"),
    }


async def test_a_flood_of_output_is_cut_with_a_note(begin: Starts) -> None:
    await begin()
    job = await run("floods", {"megabytes": 5})
    assert job.result == "done"
    said = await logs(job)
    assert "the rest is cut" in said[-1][1]
    assert len(said) <= 1002
    assert sum(len(line) for _, line in said) < 300 << 10


async def test_a_flood_of_partials_is_written_in_order(begin: Starts) -> None:
    await begin()
    job = await run("floods-partials", {"count": 3000, "size": 10})
    assert (job.state, job.result) == ("succeeded", 3000)

    def numbers() -> list[int]:
        rows = JobEvent.objects.filter(job=job, event="partial").order_by("seq").values_list("data", flat=True)
        return [one["data"][0] for one in rows]

    kept = await in_db(numbers)
    assert kept == list(range(kept[0], 3000))
    assert job.progress == {"done": 2999, "total": 3000}


async def test_artifacts_are_stored_under_the_attempt(begin: Starts) -> None:
    await begin()
    job = await run("artifacts")

    def look() -> tuple[str, bytes, str, int]:
        (one,) = Artifact.objects.filter(job=job)
        with storages["artifacts"].open(one.storage_name) as file:
            return one.storage_name, file.read(), one.sha256, one.size

    name, content, digest, size = await in_db(look)
    assert name == f"{job.pk}/1/0"
    assert (content, size) == (b"to be or not to be", 18)
    assert digest == hashlib.sha256(content).hexdigest()


async def test_a_large_result_becomes_an_artifact(begin: Starts) -> None:
    await begin()
    job = await run("big-result")
    assert job.result is None
    assert job.result_artifact_id is not None


async def test_text_that_postgres_cannot_hold(begin: Starts) -> None:
    await begin()
    job = await run("nul")
    assert job.result == {"text": "\ufffd and \ufffd", "number": None}


async def test_what_a_job_left_running_is_gone_before_the_next(begin: Starts) -> None:
    await begin()
    job = await run("forks")
    pids: list[int] = job.result or []
    assert len(pids) == 3
    await wait_for(lambda: not any(map(psutil.pid_exists, pids)), what="its processes to be gone")
    first, second = await run("leaves-thread"), await run("leaves-thread")
    assert first.result != second.result


async def test_a_processor_may_use_the_projects_models(
    begin: Starts, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", f"sqlite:///{settings.DATABASES['default']['NAME']}")
    await begin()
    job = await run("counts-jobs")
    assert (job.state, job.error_message) == ("succeeded", "")
    assert job.result == 1
