"""Real `runworker` processes: they share the work, hear the doorbell, and stop in good order."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.harness.jobs import cancel, check_events, fields, states, submit, wait_final, wait_marked
from tests.harness.services import RedisServer
from tests.harness.site import MakeSite, Site

pytestmark = pytest.mark.timeout(180)

HOSTILE = "tests.hostile"


@pytest.mark.parametrize("on_postgres", [False, True], ids=["sqlite", "postgres"])
def test_workers_share_200_jobs_and_each_is_done_once(make_site: MakeSite, on_postgres: bool) -> None:
    site = make_site(redis=True, postgres=on_postgres, processors=HOSTILE)
    with site.worker(), site.worker(), site.worker("--concurrency", "1"):
        submit(site, "touch-and-wait", {"seconds": 0.02}, 200)
        wait_final(site, 200, 120)
    assert states(site) == {"succeeded": 200}
    assert site.rows("SELECT DISTINCT attempt, charged FROM processing_job") == [(1, 1)]
    assert len(site.rows("SELECT DISTINCT worker_id FROM processing_job")) == 3
    check_events(site)


@pytest.mark.parametrize("layer", ["pubsub", "core"])
def test_the_doorbell_starts_and_cancels_without_polling(make_site: MakeSite, layer: str, tmp_path: Path) -> None:
    site = make_site(redis=True, channel_layer=layer, processors=HOSTILE, poll_seconds=60, worker_heartbeat_seconds=10)
    with site.worker():
        (job,) = submit(site, "touch-and-wait", {"mark": str(tmp_path / "mark"), "seconds": 60.0})
        wait_marked(tmp_path / "mark", seconds=5)
        cancel(site, job)
        wait_marked(tmp_path / "mark", "closed", seconds=5)
        wait_final(site, 1, 5)
    assert states(site) == {"cancelled": 1}


@pytest.mark.parametrize("layer", ["pubsub", "core"])
def test_a_restarted_redis_harms_no_worker(make_site: MakeSite, own_redis: RedisServer, layer: str) -> None:
    site = make_site(redis=own_redis, channel_layer=layer, processors=HOSTILE, poll_seconds=1)
    with site.worker() as worker:
        own_redis.restart(down_seconds=1)
        submit(site, "empty", count=5)
        wait_final(site, 5, 15)
        assert worker.poll() is None


def test_a_worker_starts_without_its_redis_and_hears_it_later(make_site: MakeSite, own_redis: RedisServer) -> None:
    own_redis.stop()
    site = make_site(redis=own_redis, processors=HOSTILE, poll_seconds=1)
    with site.worker() as worker:
        submit(site, "empty")
        wait_final(site, 1, 20)
        worker.wait_log("the channel layer is away")
        own_redis.start()
        worker.wait_log("the channel layer is back", 40)
        submit(site, "empty")
        wait_final(site, 2, 20)
    assert worker.log().count("the channel layer is away") == 1, "told once, not at every try"


def test_a_worker_on_its_own_says_that_it_polls(site: Site) -> None:
    with site.worker(poll_seconds=0.5) as worker:
        assert "headrace.W013" in worker.log()
        submit(site, "word-count")
        wait_final(site, 1, 10)


def test_sigterm_lets_jobs_finish_and_gives_the_rest_back(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(redis=True, processors=HOSTILE)
    with site.worker("--concurrency", "3", "--drain-seconds", "3") as worker:
        (long,) = submit(site, "touch-and-wait", {"mark": str(tmp_path / "long"), "seconds": 120.0})
        pid = wait_marked(tmp_path / "long")
        submit(site, "touch-and-wait", {"mark": str(tmp_path / "short%d"), "seconds": 1.5}, 20)
        wait_marked(tmp_path / "short0")
        begun = time.monotonic()
        worker.terminate()
        assert worker.wait_exit(20) == 0
        assert time.monotonic() - begun < 3 + 4
        assert not psutil.pid_exists(pid)
    now = states(site)
    assert set(now) == {"succeeded", "queued"}
    assert sum(now.values()) == 21
    assert fields(site, long, "state", "charged", "attempt") == ("queued", 0, 1)
    assert site.rows("SELECT DISTINCT charged FROM processing_job WHERE state = 'queued'") == [(0,)]
    assert site.rows("SELECT count(*) FROM processing_worker WHERE stopped_at IS NULL") == [(0,)]
    with site.worker("--concurrency", "4"):
        wait_final(site, 20, 60)
        cancel(site, long)
        wait_final(site, 21, 20)
    assert states(site) == {"succeeded": 20, "cancelled": 1}
    check_events(site)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(make_site: MakeSite, tmp_path: Path, second: signal.Signals) -> None:
    site = make_site(redis=True, processors=HOSTILE)
    with site.worker("--drain-seconds", "60") as worker:
        (job,) = submit(site, "stuck", {"mark": str(tmp_path / "mark")})
        pid = wait_marked(tmp_path / "mark")
        worker.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert worker.poll() is None
        worker.send_signal(second)
        assert worker.wait_exit(8) == 0
        assert not psutil.pid_exists(pid)
    assert fields(site, job, "state", "charged") == ("queued", 0)


def test_only_its_queues(make_site: MakeSite) -> None:
    site = make_site(redis=True, processors=HOSTILE, poll_seconds=0.5)
    with site.worker("--queues", "other, more"):
        submit(site, "empty")
        time.sleep(2)
        assert states(site) == {"queued": 1}
        with site.worker("--queues", "default"):
            wait_final(site, 1, 10)


def test_wrong_options_and_processors_are_one_line(site: Site) -> None:
    done = site.manage("runworker", "--concurrency", "0", check=False)
    assert done.returncode == 2
    done = site.manage("runworker", processors="tests.no_such", check=False)
    assert done.returncode == 1
    assert "tests.no_such" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_while_starting_is_a_clean_end(site: Site) -> None:
    worker = site.worker()
    process = super(type(worker), worker).start()  # does not wait until it is ready
    try:
        time.sleep(1.2)
        process.terminate()
        assert process.wait_exit(15) in (0, -signal.SIGTERM)
    finally:
        assert process.close() == []


def test_an_idle_worker_costs_next_to_nothing(make_site: MakeSite) -> None:
    site = make_site(redis=True)
    with site.worker() as worker:
        time.sleep(2)
        everyone = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]

        def spent() -> float:
            return sum(process.cpu_times().user + process.cpu_times().system for process in everyone)

        before = spent()
        time.sleep(6)
        assert spent() - before < 0.6, "less than a tenth of a processor"
