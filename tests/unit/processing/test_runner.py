"""The worker's side of a child: what it reports, how it ends, and that nothing outlives it. No database."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from processing.runner import Child, ChildBrokenError, environment
from tests.harness.waiting import wait_for

MODULES = ["tests.hostile"]
Reports = list[dict[str, Any]]


class Bench:
    """One child, and what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed: list[tuple[str, str]] = []
        self.jobs = 0

    async def spawn(self) -> None:
        self.child = await Child.spawn(MODULES, django=False, threads=1, tell=lambda *said: self.printed.append(said))

    def order(self, processor: str, params: dict[str, Any], memory: int = 4 << 30) -> dict[str, Any]:
        self.jobs += 1
        folder = self.folder / str(self.jobs)
        folder.mkdir()
        return {
            "processor": processor,
            "params": params,
            "name": "words.txt",
            "content_type": "text/plain",
            "size": 18,
            "sha256": None,
            "folder": str(folder),
            "source": "",
            "memory_bytes": memory,
            "cpu_seconds": 60,
        }

    def source(self) -> int:
        place = self.folder / "input"
        place.write_bytes(b"to be or not to be")
        return os.open(place, os.O_RDONLY)

    async def run(self, processor: str, memory: int = 4 << 30, **params: Any) -> Reports:
        return [one async for one in self.child.run(self.order(processor, params, memory), self.source())]

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.child.pid).children(recursive=True)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.spawn()
    yield made
    await made.child.kill()


async def gone(*pids: int, seconds: float = 5) -> None:
    """Wait until none of these is alive."""
    until = time.monotonic() + seconds
    while left := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < until, f"still alive: {left}"
        await asyncio.sleep(0.01)


async def test_a_child_runs_one_job_after_the_other(bench: Bench) -> None:
    guard = bench.child.pid
    for _ in range(3):
        assert await bench.run("empty") == [{"type": "result", "data": None, "artifacts": [], "dirty": False}]
    assert bench.child.pid == guard
    assert bench.child.jobs == 3
    assert bench.printed == []


async def test_a_job_sees_little_and_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,), (second,) = [await bench.run("surroundings", memory=1 << 30) for _ in range(2)]
    seen, again = first["data"], second["data"]
    assert not [name for name in seen["environment"] if name.startswith(("HEADRACE_", "DJANGO_", "PG", "AWS_"))]
    assert "LEFT_BEHIND" not in again["environment"]
    assert seen["cwd"] == seen["tmp"]
    assert Path(seen["cwd"]).is_relative_to(bench.folder / "1")
    assert Path(again["scratch"]).is_relative_to(bench.folder / "2")
    assert (seen["core"], seen["memory"]) == (0, 1 << 30)
    assert seen["modules"] == [], "neither Django nor the settings are loaded"
    assert seen["session"] == seen["pid"]
    assert seen["guard"] == bench.child.pid
    assert again["descriptors"] == seen["descriptors"], "no descriptor leaks from job to job"


async def test_what_it_prints_is_told_before_the_end(bench: Bench) -> None:
    *logs, end = await bench.run("chatty")
    assert end["type"] == "result"
    assert ("info", "printed") in bench.printed
    assert ("warning", "to standard error") in bench.printed
    assert ("info", "from a subprocess") in bench.printed
    assert ("info", "without an end") in bench.printed
    assert [(log["level"], log["message"], log["asked"]) for log in logs] == [
        ("warning", "logged 7", False),
        ("error", "said", True),
    ]


async def test_a_flood_stays_small_on_this_side(bench: Bench) -> None:
    before = psutil.Process().memory_info().rss
    lines = 0

    def count(level: str, line: str) -> None:
        nonlocal lines
        lines += 1

    bench.child.tell = count
    (end,) = await bench.run("floods", megabytes=20)
    assert end["data"] == "done"
    assert lines > 1000
    assert psutil.Process().memory_info().rss - before < 20 << 20


async def test_what_is_not_read_waits_in_the_child(bench: Bench) -> None:
    before = psutil.Process().memory_info().rss
    run = bench.child.run(bench.order("floods-partials", {"count": 100_000, "size": 1000}), bench.source())
    assert (await anext(run))["type"] in ("partial", "progress")
    await asyncio.sleep(0.5)
    assert psutil.Process().memory_info().rss - before < 10 << 20
    bench.child.cancel()
    rest = [one async for one in run]
    assert rest[-1]["type"] == "cancelled"
    assert len(rest) < 5000


async def test_progress_is_held_back_but_the_newest_arrives(bench: Bench) -> None:
    reports = await bench.run("floods-partials", count=3000, size=1)
    partials = [one for one in reports if one["type"] == "partial"]
    assert [one["data"][0] for one in partials] == list(range(3000))
    assert len([one for one in reports if one["type"] == "progress"]) < 100


async def test_cancel_closes_the_generator_at_the_next_yield(bench: Bench, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run = bench.child.run(bench.order("touch-and-wait", {"mark": str(mark), "seconds": 60.0}), bench.source())
    await anext(run)
    begun = time.monotonic()
    bench.child.cancel()
    end = [one async for one in run][-1]
    assert time.monotonic() - begun < 0.1
    assert end == {"type": "cancelled", "dirty": False}
    assert [line.split()[0] for line in mark.read_text().splitlines()] == ["started", "closed"]
    assert (await bench.run("empty"))[-1]["type"] == "result", "and the child goes on"


@pytest.mark.parametrize(
    ("processor", "code"), [("exits", 7), ("segfault", -signal.SIGSEGV), ("killed", -signal.SIGKILL)]
)
async def test_a_child_that_dies_says_how(bench: Bench, processor: str, code: int) -> None:
    assert await bench.run(processor) == []
    assert await bench.child.ended() == code
    if processor == "segfault":
        assert "hostile.py" in bench.child.fault()


async def test_running_out_of_memory_is_a_plain_failure(bench: Bench) -> None:
    for processor in ("hog", "creeping-hog"):
        end = (await bench.run(processor, memory=512 << 20))[-1]
        assert (end["type"], end["code"]) == ("failed", "out_of_memory")
        assert "512 MiB" in end["message"]
    assert (await bench.run("empty"))[-1]["type"] == "result"


async def test_errors_are_told_with_their_code_and_traceback(bench: Bench) -> None:
    (end,) = await bench.run("odd-result")
    assert (end["code"], end["message"]) == ("bad_result", "result.rows[1] is a object, which JSON cannot hold")
    *_, end = await bench.run("big-partial")
    assert end["code"] == "partial_too_large"
    assert "70002 bytes" in end["message"]
    (end,) = await bench.run("no-such")
    assert end["message"].startswith("UnknownProcessor: There is no processor no-such.")
    (end,) = await bench.run("empty", surprise=1)
    assert end["message"].startswith("BadParams")
    assert "Traceback" in end["traceback"]


async def test_text_that_no_row_can_hold_is_mended(bench: Bench) -> None:
    log, partial, end = await bench.run("nul")
    assert log["message"] == "a\ufffdb \ufffd"
    assert partial["data"] == {"a\ufffd": "\ufffd"}
    assert end["data"] == {"text": "\ufffd and \ufffd", "number": None}


async def test_a_large_result_lies_in_the_folder(bench: Bench) -> None:
    (end,) = await bench.run("big-result")
    (made,) = end["artifacts"]
    assert end["data"] is None
    assert (made["name"], made["content_type"], made["is_result"]) == ("result.json", "application/json", True)
    assert (bench.folder / "1" / made["file"]).read_text() == '"' + "r" * 100_000 + '"'


async def test_artifacts_lie_in_the_folder_and_dropped_ones_do_not(bench: Bench) -> None:
    (end,) = await bench.run("artifacts")
    (made,) = end["artifacts"]
    assert (made["name"], made["content_type"], made["is_result"]) == ("copy.txt", "text/plain", False)
    assert (bench.folder / "1" / made["file"]).read_bytes() == b"to be or not to be"


async def test_what_a_job_leaves_behind_is_reported_and_ends_with_the_child(bench: Bench) -> None:
    end = (await bench.run("forks"))[-1]
    assert end["dirty"] is True
    assert all(psutil.pid_exists(pid) for pid in end["data"])
    await bench.child.kill()
    await gone(*end["data"])
    await bench.spawn()
    assert (await bench.run("leaves-thread"))[-1]["dirty"] is True


async def test_kill_ends_what_ignores_signals_and_what_it_forked(bench: Bench, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run = bench.child.run(bench.order("forks", {"mark": str(mark), "wait": 60.0}), bench.source())
    await anext(run)
    pids = [int(pid) for pid in mark.read_text().split()[:3]]
    below = [process.pid for process in bench.descendants()]
    await bench.child.kill()
    await gone(*pids, *below)
    await bench.spawn()
    run = bench.child.run(bench.order("stuck", {}), bench.source())
    await anext(run)
    await asyncio.sleep(0.2)
    below = [process.pid for process in bench.descendants()]
    begun = time.monotonic()
    await bench.child.kill()
    assert time.monotonic() - begun < 2
    await gone(*below)


async def test_a_fork_bomb_is_put_out(bench: Bench) -> None:
    run = asyncio.create_task(bench.run("fork-bomb"))
    await wait_for(lambda: len(bench.descendants()) >= 250)
    below = [process.pid for process in bench.descendants()]
    await bench.child.kill()
    assert await run == []
    await gone(*below)


async def test_a_guard_that_is_killed_takes_its_child_along(bench: Bench) -> None:
    below = [process.pid for process in bench.descendants()]
    assert len(below) == 1
    os.kill(bench.child.pid, signal.SIGKILL)
    await gone(*below)


async def test_who_writes_into_the_workers_line_is_ended(bench: Bench) -> None:
    below = [process.pid for process in bench.descendants()]
    assert await bench.run("lies") == []
    assert bench.printed[-1][0] == "error"
    await gone(*below)


async def test_a_module_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChildBrokenError, match=r"tests\.no_such"):
        await Child.spawn(["tests.no_such"], django=False, threads=1, tell=lambda level, line: None)


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SECRET_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bare = environment(django=False, threads=3)
    assert "secret" not in bare.values()
    assert bare["OMP_NUM_THREADS"] == "3"
    assert bare["PATH"] == os.environ["PATH"]
    assert environment(django=True, threads=1)["HEADRACE_SECRET_KEY"] == "secret"
