"""The harness itself: what it starts runs, what it stops is gone, and what is left behind is told."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.harness.process import Process, is_alive, python
from tests.harness.services import PostgresServer, RedisServer
from tests.harness.waiting import free_port, wait_for, wait_until

CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); print('up', flush=True); {then}"
)
SLEEP = "import time; time.sleep(60)"
# In a session of its own and with nothing of the parent's environment: what a job's process looks like.
SLEEP_APART = "import os, time; os.setsid(); print('apart', flush=True); time.sleep(60)"


def test_a_free_port_is_free_and_not_ephemeral() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    assert max(ports) < 32_768
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports.pop()))


def test_wait_until_gives_the_value_or_says_what_it_waited_for() -> None:
    assert wait_until(iter([0, None, "here"]).__next__) == "here"
    with pytest.raises(AssertionError, match=r"waited 0\.1 s in vain \(last seen: 0\) for the moon"):
        wait_until(lambda: 0, 0.1, what="the moon")


async def test_wait_for_takes_coroutines() -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "here"

    assert await wait_for(later) == "here"
    with pytest.raises(AssertionError, match="Refused"):
        await wait_for(_refused, 0.1)


def _refused() -> bool:
    raise ConnectionRefusedError("Refused")


def test_a_process_is_stopped_and_its_log_kept(tmp_path: Path) -> None:
    with Process(python("-c", f"print('hello', flush=True); {SLEEP}"), folder=tmp_path) as process:
        process.wait_log("hello")
        assert process.poll() is None
        pid = process.pid
    assert not psutil.pid_exists(pid)
    assert process.log() == "hello\n"
    assert process.poll() == -signal.SIGTERM


def test_a_process_that_ends_before_it_printed_is_told_at_once(tmp_path: Path) -> None:
    with (
        Process(python("-c", "raise SystemExit('no such thing')"), folder=tmp_path) as process,
        pytest.raises(AssertionError, match=r"ended with 1 before it printed 'ready'(?s:.*)no such thing"),
    ):
        process.wait_log("ready", 10)
    assert process.wait_exit() == 1


@pytest.mark.parametrize("child", [SLEEP, SLEEP_APART])
def test_an_orphan_is_told_and_killed(tmp_path: Path, child: str) -> None:
    code = CHILD.format(child=child, then=SLEEP)
    process = Process(python("-c", code), folder=tmp_path, name="parent", orphan_seconds=0.3)
    with pytest.raises(AssertionError, match="parent left processes behind"), process:
        process.wait_log("up")
        if child == SLEEP_APART:
            process.wait_log("apart")
        (orphan,) = process.children()
        process.kill9()
        assert is_alive(orphan)
    wait_until(lambda: not is_alive(orphan), what="the orphan to be gone")


def test_a_child_of_a_parent_that_ended_by_itself_is_told(tmp_path: Path) -> None:
    process = Process(
        python("-c", CHILD.format(child=SLEEP_APART, then="time.sleep(0.2)")), folder=tmp_path, orphan_seconds=0.3
    )
    with pytest.raises(AssertionError, match="left processes behind"), process:
        process.wait_exit()


def test_who_does_not_stop_is_told_and_killed(tmp_path: Path) -> None:
    deaf = f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"
    process = Process(python("-c", deaf), folder=tmp_path, stop_seconds=0.2)
    with pytest.raises(AssertionError, match=r"itself, 0\.2 s after SIGTERM"), process:
        process.wait_log("deaf")
    assert process.poll() == -signal.SIGKILL


def test_a_failure_in_the_block_is_not_hidden_by_an_orphan(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Process(python("-c", CHILD.format(child=SLEEP, then=SLEEP)), folder=tmp_path, orphan_seconds=0.3) as process,
    ):
        process.wait_log("up")
        process.kill9()
        raise ZeroDivisionError


def test_redis_forgets_restarts_and_stops(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.set("key", "value")
        own_redis.flush()
        assert client.get("key") is None
        client.set("key", "value")
    before = own_redis.process.pid
    own_redis.restart(down_seconds=0.2)
    assert own_redis.process.pid != before
    with own_redis.client() as client:
        assert client.get("key") is None
    own_redis.kill9()
    assert not own_redis.is_running
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", own_redis.port))
    own_redis.start()
    own_redis.flush()


def test_postgres_keeps_its_rows_over_restart_and_kill(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    copy = own_postgres.create_database(template=url.rpartition("/")[2])
    own_postgres.restart()
    own_postgres.kill9()
    own_postgres.start()
    for database in (url, copy):
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    own_postgres.drop_database(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    if os.geteuid() == 0:
        assert psutil.Process(own_postgres.process.pid).username() == "postgres"
