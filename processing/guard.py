"""The guard: a small process above each child that outlives it, and ends whatever it started.

worker -> guard -> child -> whatever a processor starts. The guard adopts orphans, so a descendant that called setsid
or forked twice comes back to it. It ends all of them when the child ends, and the child with them when the worker lets
go of the leash (a pipe): by closing it, or by dying, however it dies. Then it ends as the child did, so that the worker
sees the child's exit code or signal as the guard's own. It is forked off before anything is loaded, and stays small.
"""

import os
import resource
import select
import signal
from typing import NoReturn

from processing import kin

_ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def split(leash: int, closed_in_guard: tuple[int, ...] = ()) -> None:
    """Fork: the guard never returns from here, the child does, in a session of its own."""
    parent = os.getppid()
    kin.adopt_orphans()
    kin.die_with_parent(signal.SIGTERM)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    guard = os.getpid()
    # The handler is there before the fork: the child may be gone before the next line.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    child = os.fork()
    if child:
        for descriptor in closed_in_guard:
            os.close(descriptor)
        if os.getppid() != parent:
            kin.end_descendants()
            os._exit(1)
        _watch(child, leash, wake)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in (wake, woken, leash):
        os.close(descriptor)
    os.setsid()
    kin.die_with_parent(signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)


def _watch(child: int, leash: int, wake: int) -> NoReturn:
    for number in _ORDERS:
        signal.signal(number, lambda *_: None)  # the wakeup descriptor tells which
    poller = select.poll()
    poller.register(leash, select.POLLIN | select.POLLHUP)
    poller.register(wake, select.POLLIN)
    while True:
        status = _ended(child)
        if status is not None:
            kin.end_descendants()
            _end_like(status)
        ready = dict(poller.poll())
        if leash in ready or (wake in ready and _ordered(os.read(wake, 512))):
            kin.end_descendants()
            os._exit(0)


def _ordered(signals: bytes) -> bool:
    return any(number in signals for number in _ORDERS)


def _ended(child: int) -> int | None:
    """Reap whoever is dead; the status of the child if it is."""
    found = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return found
            if pid == child:
                found = status
    except ChildProcessError:
        return found


def _end_like(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)
