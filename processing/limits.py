"""What one job may take of its machine, set by the child on itself before it runs the job. Pure.

Only soft limits move with each job: a process without privileges could not raise a hard one again for the next.
"""

import contextlib
import math
import resource
from pathlib import Path

FILE_BYTES = 64 << 30
"""The largest file that a job may write: a bound for runaway loops, not for work."""

RETIRE_BYTES = 512 << 20
"""A child that still holds more than this after its job is replaced."""


def apply_for_good() -> None:
    """For every job: no core files, bounded files, and the first to go when the machine runs out of memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _soft(resource.RLIMIT_FSIZE, FILE_BYTES)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def apply_for_job(memory_bytes: int, cpu_seconds: float) -> None:
    """Bound the address space, and the processor time from now on: then the kernel sends SIGXCPU, which ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + cpu_seconds) + 1)
    _soft(resource.RLIMIT_AS, memory_bytes)


def lift_memory() -> None:
    """Take the bound off the address space, so that a job that ran out of it can be reported."""
    _soft(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def resident_bytes() -> int:
    """The memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _soft(kind: int, wanted: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > hard):
        wanted = hard
    resource.setrlimit(kind, (wanted, hard))
