"""Workers under faults: killed, stopped, starved of their database, idle for long. Each prints its figure."""

import os
import signal
import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from tests.harness.jobs import cancel, check_events, fields, states, submit, submit_all, wait_final, wait_marked
from tests.harness.services import PostgresServer, RedisServer
from tests.harness.site import DATABASE_FILE, MakeSite, Site, Worker, migrate
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

HOSTILE = "tests.hostile"
BAD = ("creeping-hog", "fork-bomb", "floods", "segfault", "lies")


@pytest.mark.parametrize("on_postgres", [False, True], ids=["sqlite", "postgres"])
def test_kill_9_of_a_worker_in_mid_job(make_site: MakeSite, tmp_path: Path, on_postgres: bool) -> None:
    """Another finishes it: one result, no orphan, and the dead one's private folder goes with the next start."""
    site = make_site(
        redis=True,
        postgres=on_postgres,
        processors=HOSTILE,
        lease_seconds=6,
        worker_heartbeat_seconds=1,
        poll_seconds=1,
    )
    mark = tmp_path / "mark"
    with site.worker("--concurrency", "1") as first:
        (job,) = submit(site, "touch-and-wait", {"mark": str(mark), "seconds": 4.0})
        child = wait_marked(mark)
        everything = first.children()
        first.kill9()
        killed = time.monotonic()
        wait_until(lambda: not any(map(_lives, everything)), 5, what="all of the first worker to be gone")
    assert not psutil.pid_exists(child)
    with site.worker("--concurrency", "1"):
        wait_until(lambda: fields(site, job, "attempt") == (2,), 6 + 15, what="the second attempt")
        print(f"kill -9: runs again after {time.monotonic() - killed:.1f} s")  # noqa: T201
        wait_final(site, 1)
    assert fields(site, job, "state", "attempt", "charged") == ("succeeded", 2, 2)
    check_events(site)
    with site.worker():
        assert list((site.var / "work").iterdir()) == []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("processor", ["stuck", "forks"])
def test_kill_9_of_a_worker_leaves_no_process(make_site: MakeSite, tmp_path: Path, processor: str) -> None:
    """Not one that ignores signals and lets no thread run, nor those that called setsid or lost their parents."""
    site = make_site(redis=True, processors=HOSTILE)
    mark = tmp_path / "mark"
    with site.worker("--concurrency", "1") as worker:
        submit(site, processor, {"mark": str(mark), **({"wait": 60.0} if processor == "forks" else {})})
        wait_until(lambda: mark.exists() and mark.read_text().endswith("\n"), 30)
        pids = [int(word) for word in mark.read_text().split() if word.isdigit()]
        assert all(map(psutil.pid_exists, pids))
        worker.kill9()
        begun = time.monotonic()
        wait_until(lambda: not any(map(psutil.pid_exists, pids)), 5, what=f"{pids} to be gone")
        print(f"kill -9: {len(pids)} processes gone after {time.monotonic() - begun:.2f} s")  # noqa: T201


def _stop_between_transactions(worker: Worker, site: Site) -> None:
    """SIGSTOP it where it does not hold SQLite's one write lock: whoever sleeps with that lock stops everybody."""

    def stopped() -> bool:
        worker.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect(site.var / DATABASE_FILE, timeout=0.5, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                worker.send_signal(signal.SIGCONT)
                return False
            return True

    wait_until(stopped, 20, every=0.1, what="the worker to be stopped without the lock")


def test_a_worker_that_slept_past_its_lease_changes_nothing(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(redis=True, processors=HOSTILE, lease_seconds=4, worker_heartbeat_seconds=1, poll_seconds=1)
    marks = tmp_path / "mark"
    with site.worker("--concurrency", "1") as sleeper, ExitStack() as stack:
        (job,) = submit(site, "touch-and-wait", {"mark": str(marks), "seconds": 2.0})
        first = wait_marked(marks)
        _stop_between_transactions(sleeper, site)
        stack.enter_context(site.worker("--concurrency", "1"))
        wait_final(site, 1)
        before = fields(site, job, "state", "attempt", "result", "seq", "finished_at")
        assert before[:2] == ("succeeded", 2)
        sleeper.send_signal(signal.SIGCONT)
        given_up = ("is thrown away", "is no longer ours", "it is given up")
        wait_until(lambda: any(words in sleeper.log() for words in given_up), 20)
        time.sleep(1)
        assert fields(site, job, "state", "attempt", "result", "seq", "finished_at") == before
        assert str(first) not in str(before[2]), "the second attempt's result stands"
        submit(site, "empty", count=4)
        wait_final(site, 5)
    check_events(site)


def test_the_doorbell_after_a_minute_of_silence(make_site: MakeSite) -> None:
    """redis-py 8 ends a receive that is idle for 5 s, unless told otherwise (config/redis.py)."""
    sites = [
        make_site(redis=True, channel_layer=layer, processors=HOSTILE, poll_seconds=600) for layer in ("pubsub", "core")
    ]
    with sites[0].worker() as one, sites[1].worker() as other:
        time.sleep(61)
        for site, worker in zip(sites, (one, other), strict=True):
            (job,) = submit(site, "empty")
            wait_final(site, 1, 10)
            created, started = fields(site, job, "created_at", "started_at")
            print(f"after 61 s idle: queued {created}, started {started}")  # noqa: T201
            assert "away" not in worker.log()
            assert "Error" not in worker.log()


def test_a_redis_that_restarts_and_forgets_in_the_middle_of_the_work(
    make_site: MakeSite, own_redis: RedisServer
) -> None:
    site = make_site(redis=own_redis, processors=HOSTILE, poll_seconds=2)
    with site.worker() as one, site.worker() as other:
        submit(site, "touch-and-wait", {"seconds": 0.2}, 60)
        own_redis.restart(down_seconds=0.2)
        own_redis.restart(down_seconds=8)
        own_redis.flush()
        submit(site, "touch-and-wait", {"seconds": 0.2}, 40)
        wait_final(site, 100, 90)
        assert (one.poll(), other.poll()) == (None, None)
    assert states(site) == {"succeeded": 100}
    assert site.rows("SELECT DISTINCT attempt FROM processing_job") == [(1,)]
    check_events(site)


def test_a_locked_sqlite_costs_time_and_nothing_else(make_site: MakeSite) -> None:
    site = make_site(redis=True, processors=HOSTILE)
    with site.worker() as worker:
        submit(site, "touch-and-wait", {"seconds": 0.5}, 12)
        with closing(sqlite3.connect(site.var / DATABASE_FILE, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            time.sleep(15)
            file.execute("ROLLBACK")
        wait_final(site, 12, 60)
        assert "Traceback" not in worker.log()
    assert states(site) == {"succeeded": 12}
    assert site.rows("SELECT DISTINCT attempt, charged FROM processing_job") == [(1, 1)]
    check_events(site)


def test_a_postgres_that_is_away_for_a_while(make_site: MakeSite, own_postgres: PostgresServer, tmp_path: Path) -> None:
    url = own_postgres.create_database()
    migrate(tmp_path / "var", url)
    site = make_site(redis=True, processors=HOSTILE, database_url=url, poll_seconds=1)
    with site.worker() as worker:
        submit(site, "touch-and-wait", {"mark": str(tmp_path / "mark%d"), "seconds": 2.0}, 8)
        wait_marked(tmp_path / "mark0")
        own_postgres.restart(down_seconds=12)
        wait_final(site, 8, 90)
        log = worker.log()
        assert "Traceback" not in log
        assert log.count("the database is away") <= 2
        assert "the database is back" in log
        own_postgres.stop()
        time.sleep(1)
        worker.terminate()
        assert worker.wait_exit(25) == 0, "a worker ends even where it can write nothing"
        own_postgres.start()
    assert states(site) == {"succeeded": 8}
    assert site.rows("SELECT DISTINCT attempt, charged FROM processing_job") == [(1, 1)]
    check_events(site)


def test_a_worker_waits_for_a_database_that_is_not_there_yet(
    make_site: MakeSite, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.create_database()
    migrate(tmp_path / "var", url)
    site = make_site(processors=HOSTILE, database_url=url)
    own_postgres.stop()
    late = threading.Timer(4, own_postgres.start)
    late.start()
    with site.worker("--skip-checks") as worker:
        late.join()
        assert worker.log().count("the database is away") == 1


def test_a_memory_hog_and_a_fork_bomb_harm_nobody_else(make_site: MakeSite) -> None:
    site = make_site(redis=True, processors=HOSTILE, cancel_grace_seconds=1, poll_seconds=0.5)
    with site.worker("--concurrency", "3") as worker:
        begun = time.monotonic()
        bad = [(name, {"megabytes": 100} if name == "floods" else {}, 1) for name in BAD]
        submit_all(site, *bad, ("touch-and-wait", {"seconds": 0.3}, 10))
        wait_until(lambda: states(site).get("succeeded", 0) >= 10, 60)
        print(f"10 good jobs beside 5 bad ones took {time.monotonic() - begun:.1f} s")  # noqa: T201
        assert psutil.Process(worker.pid).memory_info().rss < 200 << 20
        ((lying,),) = site.rows("SELECT id FROM processing_job WHERE processor = %s", "lies")
        cancel(site, str(lying))
        wait_final(site, 15, 60)
        assert worker.poll() is None
    errors = dict(site.rows("SELECT processor, error_code FROM processing_job WHERE state = 'failed'"))
    assert errors["creeping-hog"] == "out_of_memory"
    assert errors["fork-bomb"] == "time_limit"
    assert errors["segfault"] == "attempts_exhausted"
    check_events(site)


def test_a_guard_that_is_killed_costs_one_attempt(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(redis=True, processors=HOSTILE, poll_seconds=0.5)
    with site.worker("--concurrency", "1"):
        (job,) = submit(site, "touch-and-wait", {"mark": str(tmp_path / "mark"), "seconds": 3.0})
        child = wait_marked(tmp_path / "mark")
        os.kill(psutil.Process(child).ppid(), signal.SIGKILL)
        wait_final(site, 1)
    assert fields(site, job, "state", "attempt") == ("succeeded", 2)
