"""The worker's side of one child process: spawn it, give it a job, read what it reports, end it.

Orders go down and reports come up as JSON lines over a socket pair, descriptors beside them (processing/child.py is the
other end). `kill()` lets go of the leash: the guard above the child then ends it and all that it started.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from processing.lines import LineTooLongError, PipeLines, SocketLines

Message = dict[str, Any]
Tell = Callable[[str, str], None]
"""(level, line): what the child printed."""

LINE_BYTES = 1 << 20
"""The longest report: a Partial of 64 KiB, or the list of very many artifacts."""

TERMINAL = frozenset({"result", "failed", "cancelled"})
START_SECONDS = 60
EXIT_SECONDS = 8
_PRINTED = 2000
_CHECKOUT = str(Path(__file__).resolve().parent.parent)
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_CONFIG")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


class ChildBrokenError(Exception):
    """The child cannot load the processors, or did not start in time. The message says why, in one line."""


class Child:
    """One warm child. `await Child.spawn(...)` gives one that has loaded the processors; it runs one job at a time."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.jobs = 0
        self._sending = False
        self._cancelled = False
        self._process: subprocess.Popen[bytes] | None = None
        self._leash = -1
        self._faults: IO[bytes] = os.fdopen(os.memfd_create("headrace-faults"), "w+b")
        self._socket, self._far_end = socket.socketpair()
        self._lines = SocketLines(self._socket, LINE_BYTES)
        self._pipes: list[PipeLines] = []

    @classmethod
    async def spawn(cls, modules: Sequence[str], *, django: bool, threads: int, tell: Tell) -> "Child":
        """Start one and wait until it is ready. Raises ChildBrokenError.

        Call it in a thread that lives as long as the worker: the kernel ends the child with the thread that made it.
        """
        child = cls(tell)
        try:
            child._start(environment(django=django, threads=threads))
            async with asyncio.timeout(START_SECONDS):
                await child._send({"type": "setup", "modules": list(modules), "django": django})
                answer = await child._next()
        except (OSError, TimeoutError) as error:
            await child.kill()
            raise ChildBrokenError(f"a child process did not start: {type(error).__name__}: {error}") from error
        except BaseException:
            await child.kill()
            raise
        if answer is None or answer["type"] != "ready":
            why = answer["message"] if answer else f"it ended with {await child.ended()}"
            await child.kill()
            raise ChildBrokenError(f"a child process cannot load the processors: {why}")
        return child

    @property
    def pid(self) -> int:
        """The guard's process id: the child is below it."""
        return self._process.pid if self._process else 0

    async def run(self, order: Mapping[str, Any], source: int | None) -> AsyncIterator[Message]:
        """Give it a job, with its input as an open descriptor (which is closed here), and yield what it reports.

        The last message is one of TERMINAL; where that does not come, the child is gone. What is not asked for waits
        in the child.
        """
        self.jobs += 1
        self._sending, self._cancelled = True, False
        try:
            await self._send({"type": "run", **order}, [] if source is None else [source])
        except ConnectionError:
            return
        finally:
            self._sending = False
            if source is not None:
                os.close(source)
        if self._cancelled:
            self.cancel()
        while (message := await self._next()) is not None:
            if message["type"] in TERMINAL:
                for pipe in self._pipes:
                    pipe.drain()
            yield message
            if message["type"] in TERMINAL:
                return

    @property
    def alive(self) -> bool:
        """False once it has ended, which an idle one may by the kernel's hand."""
        return self._process is not None and self._process.poll() is None

    def cancel(self) -> None:
        """Ask the job to stop at its next `yield`."""
        self._cancelled = True
        if self._sending:
            return  # it goes out after the order
        with contextlib.suppress(OSError):  # it is gone, or hears nothing: the grace ends it
            self._socket.send(b'{"type":"cancel"}\n')

    def let_go(self) -> None:
        """End it and all that it started, without waiting: its guard does so once the leash is closed."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1

    async def kill(self) -> None:
        """End it and wait until it is gone."""
        self.let_go()
        await self.ended()
        self.close()

    async def ended(self) -> int:
        """Wait until the guard is gone: the child's exit code, negative for the signal that ended it."""
        process = self._process
        if process is None:
            return 0
        waited, pause = 0.0, 0.001
        while (code := process.poll()) is None:
            await asyncio.sleep(pause)
            waited += pause
            pause = min(0.05, pause * 2)
            if waited > EXIT_SECONDS:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return code

    def printed(self) -> None:
        """Tell what it printed last, before it ended."""
        for pipe in self._pipes:
            pipe.drain()

    def fault(self) -> str:
        """The Python stack at which a fatal signal hit it, if any did."""
        self._faults.seek(0)
        return self._faults.read(16_000).decode(errors="replace")

    def close(self) -> None:
        """Close what is open on this side. The child ends, if it has not."""
        self.let_go()
        for pipe in self._pipes:
            pipe.close()
        self._socket.close()
        self._far_end.close()
        self._faults.close()

    def _start(self, env: dict[str, str]) -> None:
        leash, self._leash = os.pipe()
        out, child_out = os.pipe()
        err, child_err = os.pipe()
        handed = (self._far_end.fileno(), leash, self._faults.fileno())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "processing.child", *map(str, handed)],
                stdin=subprocess.DEVNULL,
                stdout=child_out,
                stderr=child_err,
                pass_fds=handed,
                start_new_session=True,
                env=env,
                cwd="/",
            )
        finally:
            for descriptor in (leash, child_out, child_err):
                os.close(descriptor)
            self._far_end.close()
            self._pipes = [
                PipeLines(out, lambda line: self.tell("info", line), _PRINTED),
                PipeLines(err, lambda line: self.tell("warning", line), _PRINTED),
            ]

    async def _send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        data = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(self._socket, [data[:32_768]], descriptors)
        if sent < len(data):
            await asyncio.get_running_loop().sock_sendall(self._socket, data[sent:])

    async def _next(self) -> Message | None:
        """The next report, or None once it is gone. What is no report ends it."""
        try:
            line = await self._lines.next()
            message = json.loads(line) if line is not None else None
            if message is None or isinstance(message.get("type"), str):
                return message
        except (LineTooLongError, ValueError, AttributeError, RecursionError):
            pass
        self.tell("error", "The process wrote into the worker's own line and was ended.")
        self.let_go()
        return None


def environment(*, django: bool, threads: int) -> dict[str, str]:
    """The child's environment: no secrets, bounded thread pools. With `django` it is the worker's own, secrets too."""
    kept = dict(os.environ) if django else {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    here = [_CHECKOUT, *(entry for entry in sys.path if entry and "site-packages" not in entry)]
    return kept | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(here)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:replace",
        "MALLOC_ARENA_MAX": "2",  # each arena takes 64 MiB of address space
        **dict.fromkeys(_THREADS, str(threads)),
    }
