"""One process of a test, and everything it starts."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.harness.waiting import wait_until

RUN_MARK = "HEADRACE_TEST_PROCESS"
"""An environment variable that is different for each Process; what it starts inherits it."""

alive: list["Process"] = []
"""What is running now."""

started: list["Process"] = []
"""What the present test has started; fixtures.py empties it before each test, and shows the logs when one fails."""


class Process:
    """`with Process(["redis-server", ...], folder=tmp) as redis:` runs a command in a session of its own.

    Standard output and error go to one file. At the end of the block it gets `stop_signal`. Where it, or anything that
    it started, then lives on (itself `stop_seconds`, the others `orphan_seconds`), all are killed and that is an
    AssertionError.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str] | None = None,
        name: str = "",
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 10,
        orphan_seconds: float = 5,
    ) -> None:
        self.command = [str(part) for part in command]
        self.name = name or Path(self.command[0]).name
        self.log_path = folder / f"{self.name}-{uuid.uuid4().hex[:8]}.log"
        self._mark = uuid.uuid4().hex
        self._env = {**(os.environ if env is None else env), RUN_MARK: self._mark}
        self._cwd = cwd or folder
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._orphan_seconds = orphan_seconds
        self._known: set[psutil.Process] = set()
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; `with` does so. Raises OSError if there is no such program."""
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                self.command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        alive.append(self)
        started.append(self)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left_behind = self.close()
        if error is None and left_behind:
            raise AssertionError(f"{self.name} left processes behind: {left_behind}\n{self.tail()}")

    @property
    def pid(self) -> int:
        return self._running().pid

    def poll(self) -> int | None:
        """The exit code (negative: the signal that ended it), or None while it runs."""
        return self._running().poll()

    def log(self) -> str:
        """All it has printed so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines: int = 40) -> str:
        return f"--- {self.name} ({self.log_path})\n" + "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, text: str, timeout: float = 15, *, times: int = 1) -> None:
        """Wait until it has printed `text`, `times` times. Raises AssertionError, at once if it ends before."""

        def seen() -> str:
            code = self.poll()  # before the log is read: what it printed last is then there
            if self.log().count(text) >= times:
                return "printed"
            return "" if code is None else f"{self.name} ended with {code}"

        outcome = wait_until(seen, timeout, what=lambda: f"{text!r} in the log of {self.name}\n{self.tail()}")
        assert outcome == "printed", f"{outcome} before it printed {text!r}\n{self.tail()}"

    def children(self) -> list[psutil.Process]:
        """Every living descendant, as far as it can be seen now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._known.update(psutil.Process(self.pid).children(recursive=True))
        self._known.update(self._marked())
        return [process for process in self._known if is_alive(process)]

    def send_signal(self, number: signal.Signals) -> None:
        """Signal this one process, not its children."""
        self.children()
        self._running().send_signal(number)

    def terminate(self) -> None:
        """SIGTERM; see wait_exit()."""
        self.send_signal(signal.SIGTERM)

    def kill9(self) -> None:
        """SIGKILL this one process and wait until it is gone. Its children are on their own."""
        self.send_signal(signal.SIGKILL)
        self._running().wait(10)

    def wait_exit(self, timeout: float = 15) -> int:
        """The exit code. Raises AssertionError with its log if it is not out in `timeout` seconds."""
        try:
            return self._running().wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended within {timeout:g} s\n{self.tail()}") from None

    def close(self) -> list[str]:
        """Stop it and all that it started. Returns what would have lived on by itself: [] is as it should be."""
        if self not in alive:
            return []
        alive.remove(self)
        try:
            return self._stop()
        finally:  # also when the test's time is up in the middle of it
            for process in self.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._running().kill()
            self._running().wait()

    def _stop(self) -> list[str]:
        popen = self._running()
        self.children()
        popen.send_signal(signal.SIGCONT)
        popen.send_signal(self._stop_signal)
        if _wait_quietly(popen, self._stop_seconds):
            return self._orphans()
        return [f"{popen.pid} itself, {self._stop_seconds:g} s after {self._stop_signal.name}"]

    def _orphans(self) -> list[str]:
        deadline = time.monotonic() + self._orphan_seconds
        while (left := self.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return [f"{process.pid} {_command_line(process)}" for process in left]

    def _marked(self) -> Iterator[psutil.Process]:
        """Processes of its session, or with its mark in their environment."""
        for process in psutil.process_iter():
            if process.pid == self.pid:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) == self.pid or process.environ().get(RUN_MARK) == self._mark:
                    yield process

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error as error:
        return str(error)


def _wait_quietly(popen: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        popen.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def python(*arguments: str) -> list[str]:
    """The command line of this interpreter."""
    return [sys.executable, *arguments]
