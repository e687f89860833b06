"""Processors that do what no processor should: workers must outlive all of them, and say what happened."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from processing.api import File, Log, Partial, Progress, Steps, processor

Seconds = Annotated[float, Field(ge=0, le=600)]


@processor("empty")
def empty(file: File) -> None:
    """Nothing at all."""


@processor("touch-and-wait")
def touch_and_wait(file: File, *, mark: str = "", seconds: Seconds = 1.0, every: Seconds = 0.01) -> Steps:
    """Write `started` to the file `mark`, yield often, and write `ended` or `closed`."""
    note(mark, "started")
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(every)
            yield Progress(0)
    except GeneratorExit:
        note(mark, "closed")
        raise
    note(mark, "ended")
    return {"pid": os.getpid()}


def note(mark: str, word: str) -> None:
    """Add a line to a file that the test reads."""
    if mark:
        with Path(mark).open("a") as file:
            file.write(f"{word} {os.getpid()}\n")


@processor("stuck", max_attempts=2)
def stuck(file: File, *, mark: str = "", seconds: Seconds = 600.0) -> Steps:
    """Sit in C code that lets no other Python thread run, deaf to SIGTERM, SIGINT and SIGHUP."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    yield Progress(0)
    note(mark, "started")
    ctypes.PyDLL(None).usleep(ctypes.c_uint(int(min(seconds, 4000) * 1_000_000)))


@processor("exits", max_attempts=2)
def exits(file: File, *, code: int = 7) -> None:
    """Leave by the back door."""
    os._exit(code)


@processor("segfault", max_attempts=2)
def segfault(file: File) -> None:
    """Read address 0."""
    ctypes.string_at(0)


@processor("killed", max_attempts=2)
def killed(file: File) -> None:
    """End itself as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


@processor("hog", memory_limit=512 << 20)
def hog(file: File) -> int:
    """Want 100 GB."""
    return len(bytearray(100 << 30))


@processor("creeping-hog", memory_limit=512 << 20)
def creeping_hog(file: File) -> None:
    """Want more and more."""
    kept: list[bytes] = []
    while True:
        kept.append(bytes(10 << 20))


@processor("burns", time_limit=1.0)
def burns(file: File) -> Steps:
    """Compute without end, with a yield now and then."""
    while True:
        sum(range(10_000))
        yield Progress(0)


@processor("sleeps-on", time_limit=0.5, max_attempts=2)
def sleeps_on(file: File) -> None:
    """Outlast its time limit without a single yield."""
    time.sleep(600)


@processor("floods")
def floods(file: File, *, megabytes: int = 20) -> str:
    """Print without measure."""
    line = "x" * 999 + "\n"
    for _ in range(megabytes * 1000):
        sys.stdout.write(line)
        sys.stderr.write("y\n")
    return "done"


@processor("floods-partials")
def floods_partials(file: File, *, count: int = 3000, size: int = 1000) -> Steps:
    """Yield partial results as fast as it can."""
    for number in range(count):
        yield Partial([number, "z" * size])
        yield Progress(number, count)
    return count


@processor("chatty")
def chatty(file: File) -> Steps:
    """Talk on every channel there is."""
    print("printed")  # noqa: T201
    sys.stderr.write("to standard error\n")
    logging.getLogger("my.library").warning("logged %d", 7)
    logging.getLogger("my.library").debug("too fine")
    subprocess.run(["echo", "from a subprocess"], check=True)
    yield Log("said", "error")
    sys.stdout.write("without an end")


@processor("forks")
def forks(file: File, *, mark: str = "", wait: Seconds = 0.0) -> Steps:
    """Leave a child, a child in a session of its own, and an orphan in a session of its own behind."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    one, other = subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)
    script = f"import subprocess as s; print(s.Popen({sleeper!r}, start_new_session=True, stdout=s.DEVNULL).pid)"
    orphan = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    pids = [one.pid, other.pid, int(orphan.stdout)]
    note(mark, " ".join(map(str, pids)))
    until = time.monotonic() + wait
    while time.monotonic() < until:
        time.sleep(0.01)
        yield Progress(0)
    return pids


@processor("fork-bomb", time_limit=2.0)
def fork_bomb(file: File) -> None:
    """Fork as fast as it can, up to a number that a test machine bears, and never end."""
    born = 0
    while born < 300:
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(600)
            os._exit(0)
        born += 1
    time.sleep(600)


@processor("leaves-thread")
def leaves_thread(file: File) -> int:
    """Leave a thread running."""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return os.getpid()


@processor("big-result")
def big_result(file: File) -> str:
    """More than a message holds."""
    return "r" * 100_000


@processor("big-partial")
def big_partial(file: File) -> Steps:
    """More than a message holds, on the way."""
    try:
        yield Partial("p" * 70_000)
    finally:
        logging.getLogger(__name__).warning("closed")


@processor("odd-result")
def odd_result(file: File) -> Any:
    """What JSON cannot hold."""
    return {"rows": [1, object()]}


@processor("nul")
def nul(file: File) -> Steps:
    """What Postgres cannot hold."""
    yield Log("a\x00b \udcff")
    yield Partial({"a\x00": "\x00"})
    return {"text": "\x00 and \udcff", "number": float("nan")}


@processor("artifacts")
def artifacts(file: File) -> str:
    """Two files, one of them dropped by an exception."""
    with file.artifact("copy.txt") as out:
        for block in file.blocks():
            out.write(block)
    try:
        with file.artifact("half.txt") as out:
            out.write(b"half")
            raise ValueError("changed my mind")
    except ValueError:
        pass
    return out.name


@processor("links")
def links(file: File) -> None:
    """An artifact that is a link to somebody else's file."""
    with file.artifact("passwd") as out:
        pass
    Path(out.name).unlink()
    Path(out.name).symlink_to("/etc/passwd")


@processor("lies")
def lies(file: File) -> None:
    """Write into the worker's own line, by finding its descriptor."""
    for descriptor in range(3, 1024):
        try:
            os.write(descriptor, b"this is no message\n" * 3)
        except OSError:
            continue
    time.sleep(600)


@processor("surroundings")
def surroundings(file: File) -> dict[str, Any]:
    """What it can see."""
    import resource
    import tempfile

    environment = sorted(os.environ)
    os.environ["LEFT_BEHIND"] = "1"
    return {
        "environment": environment,
        "cwd": str(Path.cwd()),
        "tmp": tempfile.gettempdir(),
        "scratch": file.scratch,
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "modules": sorted(name for name in sys.modules if name in ("django", "django.conf", "channels", "config")),
        "pid": os.getpid(),
        "session": os.getsid(0),
        "guard": os.getppid(),
        "descriptors": sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir()),
    }


@processor("counts-jobs", uses_django=True)
def counts_jobs(file: File) -> int:
    """Ask the project's own database."""
    from processing.models import Job

    return Job.objects.count()


@processor("two-steps")
def two_steps(file: File, *, seconds: Seconds = 2.0) -> Steps:
    """Report twice at once and then say nothing for long."""
    yield Progress(1, 9, "steps", "first")
    yield Progress(2, 9, "steps", "second")
    time.sleep(seconds)
    yield Progress(3, 9, "steps", "third")
