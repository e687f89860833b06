"""A server of config/server.py in a process of its own, with the application of server_application.py."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.process import Process, python
from tests.harness.waiting import wait_until
from tests.integration.raw_websocket import get

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 40
"""Seconds that a busy machine may take for what is done at once."""


class Served:
    """The process, and what its application can be asked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = 0

    def ready(self) -> None:
        """Wait until it accepts connections."""
        self.process.wait_log("\nport ", PATIENCE)
        self.port = int(self.process.log().partition("\nport ")[2].split()[0])

    def get(self, path: str) -> Any:
        """Ask a control."""
        return get(self.port, path)

    def wait_record(self, name: str, **expected: Any) -> dict[str, Any]:
        """Wait until the record of `name` has these values."""

        def reached() -> dict[str, Any]:
            record: dict[str, Any] = self.get(f"/record/{name}")
            assert {key: record[key] for key in expected} == expected, record
            return record

        return wait_until(reached, PATIENCE, what=lambda: f"{expected} of {name}\n{self.process.tail()}")

    def wait_paused(self, name: str) -> None:
        """Wait until the server has stopped reading that WebSocket."""
        wait_until(lambda: self.get("/sockets")[name]["paused"], PATIENCE, what=f"{name} to be paused")

    def memory(self, what: str) -> int:
        """Bytes: VmRSS is what it holds, VmHWM the most that it has held since reset_peak()."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(what + ":")[2].split()[0]) * 1024

    def reset_peak(self) -> int:
        """Forget the peak. Returns the memory now, in bytes."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    def assert_no_traceback(self) -> None:
        """Nothing went wrong that the server did not expect."""
        log = self.process.log()
        assert "Traceback" not in log, log
        assert "CRITICAL" not in log, log


@contextmanager
def starting(folder: Path, **options: Any) -> Iterator[Served]:
    """Start it and do not wait."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    command = python("-u", "-m", "tests.integration.server_application", json.dumps(options))
    with Process(command, folder=folder, name="server", cwd=ROOT, env=env, stop_seconds=PATIENCE) as process:
        yield Served(process)


@contextmanager
def serving(folder: Path, hooks: dict[str, str] | None = None, **limits: Any) -> Iterator[Served]:
    """Start it and wait until it accepts connections. At the end: SIGTERM, exit code 0 and no traceback."""
    with starting(folder, hooks=hooks or {}, limits=limits) as served:
        served.ready()
        yield served
        if served.process.poll() is None:
            served.process.terminate()
            assert served.process.wait_exit(PATIENCE) == 0, served.process.tail()
            served.assert_no_traceback()
