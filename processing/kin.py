"""A process's kin on Linux: whom it dies with, whose orphans it takes in, and what lives below it. Pure.

PDEATHSIG fires when the *thread* that spawned the process ends, so spawn from one that never does; and it is set after
the fork, so look at getppid() afterwards. /proc/<pid>/task/<tid>/children needs CONFIG_PROC_CHILDREN, which all
distributions have.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this process `number` when its parent is gone."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Make this process the new parent of every descendant that loses its own, even if that called setsid."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """The direct children of a process; none where it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, as far as it can be seen at this moment."""
    found: set[int] = set()
    waiting = children(pid)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += children(one)
    return found


def end_descendants(seconds: float = 5) -> None:
    """Kill and reap everything below this process, which has adopted its orphans. Gives up after `seconds`.

    All are stopped before any is killed, so that a process that forks as fast as it can is caught too.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stopped: set[int] = set()
        while fresh := descendants(os.getpid()) - stopped:
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
            stopped |= fresh
            if time.monotonic() > deadline:
                break
        for pid in stopped:
            _signal(pid, signal.SIGKILL)
        if not _reap():
            return
        time.sleep(0.001)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap() -> bool:
    """Collect the dead; False once there is no child left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
