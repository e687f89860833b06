"""Inside the child: one job in one message, the line to the worker, the guard, the limits. No database."""

import ast
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from processing import child_job, kin, limits
from processing.child_job import Order
from processing.registry import load
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[3]
REGISTRY = load(["tests.hostile", "tests.processors"], entry_points=False)


class Line:
    """A Control that only remembers; it is cancelled after `cancel_after` reports."""

    def __init__(self, cancel_after: int = 10**9) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cancelled = self
        self._cancel_after = cancel_after

    def is_set(self) -> bool:
        return len(self.sent) >= self._cancel_after

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    progress = send


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`run("empty", line, top=1)`: the one message that ends the job, without a process and without limits."""
    monkeypatch.setattr(limits, "apply_for_job", lambda memory, cpu: None)
    monkeypatch.setattr(limits, "lift_memory", lambda: None)
    source = tmp_path / "input"
    source.write_bytes(b"to be or not to be")
    before = Path.cwd()

    def run(processor: str, line: Line, **params: Any) -> dict[str, Any]:
        folder = tmp_path / f"job{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        order = Order(
            processor, params, "words.txt", "text/plain", 18, None, str(folder), str(source), 4 << 30, cpu_seconds=60
        )
        return child_job.run(order, REGISTRY, line)  # type: ignore[arg-type]

    yield run
    os.chdir(before)


def test_steps_become_messages_in_order(run: Any) -> None:
    line = Line()
    end = run("fail-at", line, row=3, seconds=0.01)
    kinds = [message["type"] for message in line.sent]
    assert kinds == ["log", "progress", "partial", "progress", "partial", "log"]
    assert line.sent[1] == {
        "type": "progress",
        "done": 1,
        "total": 50,
        "unit": "rows",
        "message": "Step 1 of 3, reading rows",
    }
    assert (end["type"], end["code"], end["message"]) == ("failed", "bad_row", "Row 3 has 2 columns, expected 3.")
    assert "Traceback" in end["traceback"]


def test_a_cancelled_generator_is_closed_where_it_stands(run: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert run("touch-and-wait", Line(cancel_after=3), mark=str(mark), seconds=60.0)["type"] == "cancelled"
    assert mark.read_text().split()[::2] == ["started", "closed"]


def test_a_refused_partial_closes_the_generator_too(run: Any) -> None:
    line = Line()
    assert run("big-partial", line)["code"] == "partial_too_large"
    assert [message["message"] for message in line.sent] == ["closed"], "its `finally` ran"


def test_surroundings_are_put_back(run: Any) -> None:
    environment, handlers = dict(os.environ), __import__("logging").getLogger().handlers[:]
    temporary = tempfile.gettempdir()
    seen = run("surroundings", Line())["data"]
    assert seen["cwd"] == seen["tmp"]
    assert dict(os.environ) == environment
    assert tempfile.gettempdir() == temporary
    assert __import__("logging").getLogger().handlers == handlers


def test_the_folder_is_forgotten_by_a_job_that_touches_nothing(run: Any) -> None:
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    run("empty", Line())
    assert (os.environ.get("TMPDIR"), tempfile.tempdir) == before


def test_texts_are_cut_and_kept_storable() -> None:
    assert child_job._cut("a" * 5000) == "a" * 3999 + "…"
    assert child_job._cut("nul \x00") == "nul \ufffd"
    assert child_job._json_bytes("é") == 4


SCRIPT = """
import json, os, sys, time
sys.path.insert(0, {checkout!r})
{body}
"""


def python(body: str, **options: Any) -> "subprocess.Popen[str]":
    """A process of its own that runs `body`, in a session of its own."""
    code = SCRIPT.format(checkout=str(CHECKOUT), body=body)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def finished(process: "subprocess.Popen[str]") -> str:
    out, _ = process.communicate(timeout=20)
    return out.strip()


def control(body: str) -> tuple["subprocess.Popen[str]", socket.socket]:
    """A process whose `control` is the other end of the socket."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    begin = f"from processing.child_control import Control\ncontrol = Control({theirs.fileno()})\n"
    process = python(begin + body, pass_fds=(theirs.fileno(),))
    theirs.close()
    return process, ours


def test_progress_that_was_held_back_follows_soon() -> None:
    process, ours = control(
        "for n in range(50): control.progress({'type': 'progress', 'done': n})\ntime.sleep(1)\nprint('end')"
    )
    with ours, ours.makefile() as lines:
        assert '"done":0' in lines.readline()
        begun = time.monotonic()
        assert '"done":49' in lines.readline()
        assert time.monotonic() - begun < 0.9
    process.kill()
    finished(process)


def test_the_end_takes_the_newest_progress_along_and_nothing_follows_it() -> None:
    process, ours = control(
        "for n in range(50): control.progress({'type': 'progress', 'done': n})\n"
        "control.send({'type': 'result', 'data': 1})\ntime.sleep(0.5)\nos._exit(0)"
    )
    with ours, ours.makefile() as lines:
        heard = [line.strip() for line in lines]
    assert heard == ['{"type":"progress","done":0}', '{"type":"progress","done":49}', '{"type":"result","data":1}']
    finished(process)


def test_an_order_brings_its_descriptor_and_clears_an_old_cancel(tmp_path: Path) -> None:
    body = (
        "time.sleep(0.3)\norder, descriptors = control.next_order()\n"
        "print(order['n'], os.read(descriptors[0], 9).decode(), control.cancelled.is_set(), flush=True)\n"
        "control.cancelled.wait(5)\nprint(control.cancelled.is_set(), flush=True)\nos._exit(0)"
    )
    process, ours = control(body)
    (tmp_path / "input").write_bytes(b"hello")
    with ours, (tmp_path / "input").open("rb") as source:
        ours.sendall(b'{"type":"cancel"}\n')
        socket.send_fds(ours, [b'{"type":"run","n":1}'], [source.fileno()])
        ours.sendall(b"\n")
        time.sleep(1)
        ours.sendall(b'{"type":"cancel"}\n')
        assert finished(process) == "1 hello False\nTrue"


@pytest.mark.parametrize("last", [b"", b"no json\n"])
def test_a_child_ends_when_its_worker_is_gone_or_makes_no_sense(last: bytes) -> None:
    process, ours = control("time.sleep(60)")
    time.sleep(0.5)
    with ours:
        ours.sendall(last or b" ")
        ours.close()
    assert process.wait(10) == 1
    finished(process)


GUARDED = """
leash, hold = os.pipe()
from processing import guard
guard.split(leash)
os.close(hold)
{body}
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [("os._exit(3)", 3), ("os.abort()", -signal.SIGABRT), ("os.kill(os.getpid(), 9)", -signal.SIGKILL), ("pass", 0)],
)
def test_the_guard_ends_as_its_child_did(body: str, code: int) -> None:
    process = python(GUARDED.format(body=body))
    assert process.wait(20) == code
    finished(process)


def test_the_guard_ends_what_its_child_leaves_behind() -> None:
    body = "print(os.getpid(), flush=True)\nif os.fork() == 0:\n    os.setsid()\n    print(os.getpid(), flush=True)\n"
    process = python(GUARDED.format(body=body + "    os.close(1)\n    time.sleep(600)\ntime.sleep(0.3)"))
    assert process.wait(20) == 0
    pids = [int(word) for word in finished(process).split()]
    assert len(pids) == 2
    assert not any(map(psutil.pid_exists, pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_guard_ends_its_child(number: signal.Signals) -> None:
    process = python(GUARDED.format(body="print(os.getpid(), flush=True)\ntime.sleep(600)"))
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    process.wait(20)
    wait_until(lambda: not psutil.pid_exists(child))
    finished(process)


def test_kin_are_found_and_none_of_a_process_that_is_gone() -> None:
    process = python("print('up', flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    assert process.pid in kin.children(os.getpid())
    assert process.pid in kin.descendants(os.getpid())
    process.kill()
    finished(process)
    assert kin.children(process.pid) == []


def test_limits_move_with_each_job_and_cores_are_off() -> None:
    body = (
        "import resource as r\nfrom processing import limits\nlimits.apply_for_good()\n"
        "for memory in (1 << 30, 2 << 30):\n    limits.apply_for_job(memory, 100)\n"
        "    print([r.getrlimit(k)[0] for k in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_CORE, r.RLIMIT_FSIZE)])\n"
        "limits.lift_memory()\nprint([r.getrlimit(r.RLIMIT_AS)[0], limits.resident_bytes() > 1000])"
    )
    first, second, lifted = [ast.literal_eval(line) for line in finished(python(body)).splitlines()]
    assert first[0] == 1 << 30
    assert second[0] == 2 << 30
    assert 100 < first[1] < 110
    assert first[2:] == [0, 64 << 30]
    assert lifted == [-1, True]


def test_a_job_that_burns_its_processor_time_is_ended_by_the_kernel() -> None:
    body = "from processing import limits\nlimits.apply_for_job(4 << 30, 0)\nwhile True: pass"
    process = python(body)
    assert process.wait(30) == -signal.SIGXCPU
    finished(process)
