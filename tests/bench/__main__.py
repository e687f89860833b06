"""`make bench`: how fast files come in, beside a consumer that stores nothing and the system this grew from.

All in one run: rounds are interleaved, figures are medians, the SHA-256 of every stored file is checked. It writes
docs/benchmarks.md anew.
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.process import Process, python
from tests.harness.services import redis_server
from tests.harness.site import CHECKOUT, Site, migrate
from tests.harness.waiting import free_port

REPORT = CHECKOUT / "docs" / "benchmarks.md"
WHAT = {
    "/ws": "Headrace: stored, SHA-256, fsync",
    "/sink": "stock Channels consumer: stores nothing",
    "/grown": "what it grew from: one bytes object, one Redis key",
}


@dataclass(frozen=True)
class Run:
    """One round of one row."""

    megabytes_per_second: float
    cpu_seconds_per_gigabyte: float
    peak_megabytes: float


@dataclass(frozen=True)
class Target:
    """A server to send to."""

    port: int
    pid: int
    uploads: Path | None = None


@contextmanager
def targets() -> Iterator[dict[str, Target]]:
    """The servers, each in a process of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-")))
        (folder / "template").mkdir()
        migrate(folder / "template")
        (folder / "site").mkdir()
        site = Site(folder / "site", template=folder / "template", default_processor="")
        ours = stack.enter_context(site.server(worker=False))
        redis = stack.enter_context(redis_server())
        port = free_port()
        command = python("-m", "tests.bench.sinks", str(port), redis.url)
        sinks = stack.enter_context(Process(command, folder=folder, cwd=CHECKOUT, env=site.env, name="sinks"))
        sinks.wait_log("sinks ready", 30)
        yield {
            "/ws": Target(ours.port, ours.pid, site.var / "uploads"),
            "/sink": Target(port, sinks.pid),
            "/grown": Target(port, sinks.pid),
        }


def run(path: str, target: Target, size: int, chunk: int, clients: int) -> Run:
    """Send `clients` files of `size` bytes at once; check what was stored."""
    server = psutil.Process(target.pid)
    Path(f"/proc/{target.pid}/clear_refs").write_text("5")
    before = sum(server.cpu_times()[:2])
    command = python("-m", "tests.bench.client", str(target.port), path, str(size), str(chunk))
    started = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, env=os.environ) for _ in range(clients)]
    answers = [json.loads(process.communicate()[0]) for process in started]
    cpu = sum(server.cpu_times()[:2]) - before
    status = Path(f"/proc/{target.pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    for answer in answers:
        if target.uploads is not None:
            check(target.uploads, answer["upload"], answer["sha256"])
    total = size * clients
    return Run(total / 1e6 / max(a["seconds"] for a in answers), cpu / (total / 1e9), peak)


def check(folder: Path, upload: str, sha256: str) -> None:
    """The stored file is the one that was sent; then make room."""
    name = upload.replace("-", "")
    blob = folder / name[:2] / name
    with blob.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    blob.unlink()


def table(rows: dict[tuple[str, int, int], list[Run]]) -> str:
    """Medians as Markdown, with the ratio to the stock consumer of the same chunk size and number of clients."""
    lines = [
        "| Chunk | Clients | Server | MB/s | of the stock consumer | CPU s per GB | peak RSS MB |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    speed = {key: statistics.median(r.megabytes_per_second for r in runs) for key, runs in rows.items()}
    for (path, chunk, clients), runs in rows.items():
        ratio = speed[path, chunk, clients] / speed["/sink", chunk, clients]
        cpu = statistics.median(r.cpu_seconds_per_gigabyte for r in runs)
        peak = max(r.peak_megabytes for r in runs)
        lines.append(
            f"| {chunk >> 10} KiB | {clients} | {WHAT[path]} | {speed[path, chunk, clients]:.0f} | {ratio:.2f} "
            f"| {cpu:.2f} | {peak:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=128, help="size of a file in MiB (128)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, interleaved (5)")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    size = options.megabytes << 20
    rows: dict[tuple[str, int, int], list[Run]] = defaultdict(list)
    with targets() as servers:
        for number in range(options.rounds):
            for clients in (1, 8):
                for chunk in (64 << 10, 256 << 10, 1_048_560):
                    for path, target in servers.items():
                        rows[path, chunk, clients].append(
                            run(path, target, size // clients >> 20 << 20, chunk, clients)
                        )
            print(f"round {number + 1} of {options.rounds} done", flush=True)
    text = report(table(rows), options.megabytes, options.rounds)
    print(text)
    if not options.dry:
        REPORT.write_text(text)


def report(rows: str, megabytes: int, rounds: int) -> str:
    """docs/benchmarks.md."""
    machine = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"
    run = f"{megabytes} MiB in each run, {rounds} interleaved rounds, medians"
    return f"""# Benchmarks

Made by `make bench`, which writes this page. Absolute figures are this machine's: compare the ratios.

Machine: {machine}. {run}. The same server (daphne, as `manage.py serve` runs it) for every row, one process; the
clients share the cores with it. The SHA-256 of every file that Headrace stored was checked.

{rows}
"""


if __name__ == "__main__":
    main()
