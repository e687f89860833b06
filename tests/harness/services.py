"""Redis and Postgres, started for the tests alone: own port, own temporary folder, nothing kept."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from tests.harness.process import Process
from tests.harness.waiting import free_port, wait_until


class Service:
    """A server that a test may stop, kill and start again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None, f"{type(self).__name__} is stopped"
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers; nothing if it runs."""
        if not self.is_running:
            self._process = self._make().start()
            wait_until(self._answers, 20, what=f"{self.process.name} on port {self.port}")

    def stop(self) -> None:
        """Stop it in an orderly way; nothing if it is stopped."""
        if self._process is not None:
            process, self._process = self._process, None
            left_behind = process.close()
            assert not left_behind, f"{process.name} left behind {left_behind}"

    def kill9(self) -> None:
        """kill -9."""
        self.process.kill9()
        self.stop()

    def restart(self, down_seconds: float = 0) -> None:
        """Stop it, stay down for that long, start it on the same port."""
        self.stop()
        time.sleep(down_seconds)
        self.start()

    def _make(self) -> Process:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


class RedisServer(Service):
    """`url` names database 0. Nothing is persisted: a restart forgets everything, as a failover may."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """A plain client of redis-py. Close it, or use it in a `with`."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5)

    def flush(self) -> None:
        """Forget all keys."""
        with self.client() as client:
            client.flushall()

    def _make(self) -> Process:
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(self.folder)}
        command = ["redis-server"]
        for name, value in options.items():
            command += [f"--{name}", value]
        return Process(command, folder=self.folder, name="redis")

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError), self.client() as client:
            return bool(client.ping())
        return False


class PostgresServer(Service):
    """A cluster of its own, without fsync: it outlives kill -9 of the server, not of the machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = folder / "data"
        # Postgres refuses to run as root. runuser would stay in between as its parent: setpriv's pid is the server's.
        change_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self._as_owner = change_user if os.geteuid() == 0 else []
        if self._as_owner:
            shutil.chown(folder, "postgres", "postgres")
        folder.chmod(0o755)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        command = [*self._as_owner, str(_postgres_binaries() / "initdb"), *options, str(self._data)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"initdb failed:\n{done.stdout}{done.stderr}"

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template1") -> str:
        """A new database, a copy of `template` (to which nobody may be connected). Returns its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop it, whoever is still connected."""
        name = sql.Identifier(url.rpartition("/")[2])
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _make(self) -> Process:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(_postgres_binaries() / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        # SIGINT is its fast shutdown: clients are disconnected. SIGTERM would wait for them.
        return Process([*self._as_owner, *command], folder=self.folder, name="postgres", stop_signal=signal.SIGINT)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            return True
        return False


def _postgres_binaries() -> Path:
    """Debian keeps the server's programs out of PATH, in a folder for each version: the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    assert program, "initdb was not found: run tests/install-services"
    return Path(program).resolve().parent


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A running Redis."""
    with tempfile.TemporaryDirectory(prefix="headrace-redis-") as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running Postgres, in a folder that its own user can enter: below root's TMPDIR, or pytest's, it could not."""
    with tempfile.TemporaryDirectory(prefix="headrace-postgres-", dir="/tmp") as folder:
        server = PostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
