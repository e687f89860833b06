"""A Worker on the test's own loop, with real children: claiming, waking, draining, what it does beside jobs."""

import asyncio
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from processing import chores, doorbell
from processing.models import Worker as WorkerRow
from processing.runner import ChildBrokenError
from processing.threads import in_db
from processing.worker import Worker
from tests.harness.waiting import wait_for
from tests.unit.processing.making import claim_one, make_job, row
from tests.unit.processing.working import Starts, ended, event_names, run, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


async def test_a_job_from_end_to_end(begin: Starts) -> None:
    await begin(poll_seconds=60)
    job = await run("word-count", {"top": 1})
    assert (job.state, job.result) == ("succeeded", {"total": 6, "top": [["to", 2]]})
    assert (job.attempt, job.charged, job.progress) == (1, 1, {"done": 18, "total": 18, "unit": "bytes"})
    assert await event_names(job) == ["queued", "started", "partial", "succeeded"]


async def test_the_doorbell_starts_a_job_without_a_poll(begin: Starts) -> None:
    await begin(poll_seconds=60)
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await run("empty")
    assert time.monotonic() - begun < 5


async def test_a_lost_ring_costs_a_poll(begin: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(poll_seconds=0.5)
    monkeypatch.setattr(doorbell, "ring", lambda group, message: None)
    assert (await run("empty")).state == "succeeded"


async def test_rings_while_all_slots_are_busy_are_not_forgotten(begin: Starts) -> None:
    await begin(poll_seconds=60)
    jobs = [await in_db(make_job, "touch-and-wait", {"seconds": 0.1}) for _ in range(6)]
    assert {(await ended(job)).state for job in jobs} == {"succeeded"}


async def test_jobs_that_wait_while_the_child_is_replaced_are_not_forgotten(begin: Starts) -> None:
    await begin(poll_seconds=60)
    jobs = [await in_db(make_job, "leaves-thread") for _ in range(4)]
    results = [(await ended(job)).result for job in jobs]
    assert len(set(results)) == 4, "each had a child of its own"


async def test_a_warm_child_is_used_again_and_replaced_in_time(begin: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.slots.JOBS_PER_CHILD", 12)
    await begin()
    jobs = [await run("touch-and-wait", {"seconds": 0.0}) for _ in range(26)]
    pids = [(job.result or {})["pid"] for job in jobs]
    assert len(set(pids[:5])) == 1
    assert 2 <= len(set(pids)) <= 3


async def test_a_drain_lets_short_jobs_finish_and_gives_long_ones_back(begin: Starts, tmp_path: Path) -> None:
    worker = await begin(concurrency=2)
    short = await in_db(make_job, "touch-and-wait", {"mark": str(tmp_path / "short"), "seconds": 1.0})
    long = await in_db(make_job, "touch-and-wait", {"mark": str(tmp_path / "long"), "seconds": 60.0})
    waiting = await in_db(make_job, "empty")
    await running(short, tmp_path / "short")
    pid = await running(long, tmp_path / "long")
    begun = time.monotonic()
    await worker.drain(2)
    assert 1.5 < time.monotonic() - begun < 5
    assert not psutil.pid_exists(pid)
    states = [(job.state, job.charged) for job in [await in_db(row, one) for one in (short, long, waiting)]]
    assert states == [("succeeded", 1), ("queued", 0), ("queued", 0)]
    assert (await event_names(long))[-1] == "retrying"
    assert (await in_db(WorkerRow.objects.get)).stopped_at is not None


async def test_a_second_drain_hurries_the_first(begin: Starts, tmp_path: Path) -> None:
    worker = await begin()
    job = await in_db(make_job, "stuck", {"mark": str(tmp_path / "mark")})
    await running(job, tmp_path / "mark")
    slow = asyncio.create_task(worker.drain(60))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    await worker.drain(0)
    await slow
    assert time.monotonic() - begun < 3
    now = await in_db(row, job)
    assert (now.state, now.charged) == ("queued", 0)


async def test_a_drain_ends_at_once_when_nothing_runs(begin: Starts) -> None:
    worker = await begin()
    await run("empty")
    begun = time.monotonic()
    await worker.drain(60)
    assert time.monotonic() - begun < 2


async def test_the_worker_is_on_the_books(begin: Starts) -> None:
    worker = await begin(concurrency=3, worker_heartbeat_seconds=0.2)
    there = await in_db(WorkerRow.objects.get)
    assert (there.pk, there.slots, there.queues, there.stopped_at) == (worker.id, 3, ["default"], None)
    await in_db(there.delete)
    await wait_for(lambda: in_db(WorkerRow.objects.exists), what="its row to be written again")
    assert (await run("empty")).state == "succeeded"


async def test_chores_are_done_and_one_that_raises_harms_nobody(
    begin: Starts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def raises() -> int:
        raise ValueError("broken chore")

    def works() -> int:
        done.append("once")
        return 1

    monkeypatch.setattr("processing.pulse.CHORES_SECONDS", 0.1)
    monkeypatch.setattr("processing.pulse.LOST_SECONDS", 0.1)
    monkeypatch.setattr(chores, "_chores", {"raises": raises, "works": works})
    await begin()
    await wait_for(lambda: len(done) > 1)
    assert "the chore 'raises' failed" in caplog.text
    assert (await run("empty")).state == "succeeded"


async def test_leftovers_of_a_killed_worker_are_removed_at_the_start(begin: Starts, settings: Any) -> None:
    work = Path(settings.HEADRACE.var_dir, "work")
    job = await in_db(make_job, "empty")
    dead, alive, strange = work / f"{uuid.uuid4()}-1", work / f"{job.pk}-1", work / "notes"
    await in_db(claim_one)
    for folder in (dead, alive, strange):
        (folder / "files").mkdir(parents=True)
        (folder / "files" / "0").write_text("x")
    await begin()
    assert not dead.exists()
    assert alive.exists()
    assert strange.exists()
    for folder in (alive, strange):
        shutil.rmtree(folder)


async def test_a_worker_whose_children_cannot_load_the_processors_says_so(begin: Starts) -> None:
    worker = Worker()
    worker._desk.modules = ["tests.no_such_module"]
    with pytest.raises(ChildBrokenError, match=r"tests\.no_such_module"):
        await worker.start()
    await worker.drain(0)
