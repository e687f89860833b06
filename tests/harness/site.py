"""A Headrace site of its own for a test: a folder, a migrated database, an environment; servers and workers on it."""

import os
import shutil
import sqlite3
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.harness.process import Process, python
from tests.harness.waiting import free_port, wait_until

MakeSite = Callable[..., "Site"]
"""The fixture make_site: `make_site(redis=True, lease_seconds=6)`."""

CHECKOUT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
STOP_SECONDS = 20
DATABASE_FILE = "headrace.sqlite3"

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")

_MAKE_USER = """
from django.contrib.auth import get_user_model, login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
user, _ = get_user_model().objects.get_or_create(username={name!r})
user.is_staff = user.is_superuser = {staff!r}
user.set_password({password!r})
user.save()
request = HttpRequest()
request.session = SessionStore()
login(request, user, backend="django.contrib.auth.backends.ModelBackend")
request.session.save()
print("session", request.session.session_key)
"""


def _variables(settings: dict[str, object]) -> dict[str, str]:
    """`drain_seconds=3` -> {"HEADRACE_DRAIN_SECONDS": "3"}; lists become comma-separated."""

    def text(value: object) -> str:
        return str(value) if isinstance(value, str) or not isinstance(value, Iterable) else ",".join(map(str, value))

    return {f"HEADRACE_{name.upper()}": text(value) for name, value in settings.items()}


class Server(Process):
    """`manage.py serve`, ready when GET /healthz answers 200."""

    def __init__(self, command: list[str], port: int, **options: Any) -> None:
        super().__init__(command, name="serve", stop_seconds=STOP_SECONDS, **options)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}/ws"

    def start(self) -> Self:
        super().start()
        _wait_ready(self, self._is_healthy)
        return self

    def _is_healthy(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # HTTPError is an OSError: not yet
            return bool(answer.status == 200)


class Worker(Process):
    """`manage.py runworker`, ready when it says so on standard error."""

    READY = "worker ready"

    def __init__(self, command: list[str], **options: Any) -> None:
        super().__init__(command, name="worker", stop_seconds=STOP_SECONDS, **options)

    def start(self) -> Self:
        super().start()
        _wait_ready(self, lambda: self.READY in self.log())
        return self


def _wait_ready(process: Process, is_ready: Callable[[], bool]) -> None:
    def ready() -> str:
        if process.poll() is not None:
            return f"{process.name} ended with {process.poll()} before it was ready"
        return "ready" if is_ready() else ""

    try:
        outcome = wait_until(ready, START_SECONDS, what=lambda: f"{process.name} to be ready\n{process.tail()}")
        assert outcome == "ready", f"{outcome}\n{process.tail()}"
    except BaseException:
        process.close()
        raise


class Site:
    """`env` is the whole environment of its processes: nothing of the caller's HEADRACE_ variables is in it.

    Args:
        folder: empty; var/ and the logs go there.
        template: a var/ folder with a migrated SQLite database, from migrate() and collect_static().
        database_url: a migrated Postgres database; "" for a copy of the template's SQLite file.
        redis_url: "" for the in-memory layer; workers then poll.
        settings: any of config.environment.Environment, as `lease_seconds=6`.
    """

    def __init__(
        self, folder: Path, *, template: Path, database_url: str = "", redis_url: str = "", **settings: object
    ) -> None:
        self.folder = folder
        self.var = folder / "var"
        self.var.mkdir()
        self.database_url = database_url
        self.redis_url = redis_url
        if not database_url and (template / DATABASE_FILE).exists():
            shutil.copy(template / DATABASE_FILE, self.var)
        if (template / "static").exists():
            (self.var / "static").symlink_to(template / "static")
        # A layer prefix of its own: sites of several tests share one Redis.
        self.env = bare_environment(self.var, database_url, redis_url) | _variables(
            {"channel_prefix": f"t{uuid.uuid4().hex[:12]}", "drain_seconds": 5, **settings}
        )

    def server(self, *arguments: str, worker: bool = True, port: int | None = None, **settings: object) -> Server:
        """A server, to be used in a `with`; without its embedded worker on `worker=False`."""
        port = port or free_port()
        command = python("manage.py", "serve", "--host", "127.0.0.1", "--port", str(port), *arguments)
        if not worker:
            command.append("--no-worker")
        return Server(command, port, folder=self.folder, cwd=CHECKOUT, env=self.env | _variables(settings))

    def worker(self, *arguments: str, **settings: object) -> Worker:
        """A separate worker process, to be used in a `with`."""
        command = python("manage.py", "runworker", *arguments)
        return Worker(command, folder=self.folder, cwd=CHECKOUT, env=self.env | _variables(settings))

    def manage(
        self, *arguments: str, timeout: float = 60, check: bool = True, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end. With `check` a failure is an AssertionError that shows its output."""
        done = subprocess.run(
            python("manage.py", *arguments),
            cwd=CHECKOUT,
            env=self.env | _variables(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def login(self, name: str = "ada", *, password: str = "correct horse", staff: bool = False) -> str:
        """Make the user if there is none, log in, and return the value of the `sessionid` cookie. Staff may do all."""
        done = self.manage("shell", "-c", _MAKE_USER.format(name=name, password=password, staff=staff))
        return done.stdout.rpartition("session ")[2].strip()

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the database past Django: the rows of one SELECT, with %s for each parameter."""
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(statement.encode(), parameters).fetchall()
        with closing(sqlite3.connect(f"file:{self.var / DATABASE_FILE}?mode=ro", uri=True, timeout=20)) as file:
            return file.execute(statement.replace("%s", "?"), parameters).fetchall()


def bare_environment(var: Path, database_url: str = "", redis_url: str = "") -> dict[str, str]:
    """A process's environment: what any program needs, and where things are."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "PYTHONUNBUFFERED": "1",
        "HEADRACE_VAR_DIR": str(var),
        "HEADRACE_SECRET_KEY": "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
        "HEADRACE_DATABASE_URL": database_url,
        "HEADRACE_REDIS_URL": redis_url,
        "HEADRACE_HTTPS": "false",
    }


def migrate(var: Path, database_url: str = "") -> None:
    """Migrate the database that sites get copies of: `var`/DATABASE_FILE, or an empty Postgres one."""
    _manage(var, database_url, "migrate", "--verbosity=0")
    if not database_url:
        with closing(sqlite3.connect(var / DATABASE_FILE)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file that is copied


def collect_static(var: Path) -> None:
    """Collect the static files into `var`/static, for all sites to share."""
    _manage(var, "", "collectstatic", "--no-input", "--verbosity=0")


def _manage(var: Path, database_url: str, *command: str) -> None:
    done = subprocess.run(
        python("manage.py", *command),
        cwd=CHECKOUT,
        env=bare_environment(var, database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"manage.py {command[0]} failed:\n{done.stdout}{done.stderr}"
