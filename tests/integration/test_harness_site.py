"""A site of the harness: its server, its workers, its database; on SQLite and on Postgres."""

import urllib.request

import psycopg
import pytest

from tests.harness import wire
from tests.harness.process import alive
from tests.harness.services import PostgresServer
from tests.harness.site import MakeSite, Site


async def test_a_server_with_its_own_worker(site: Site) -> None:
    with site.server() as server:
        async with wire.connect(server.ws_url) as client:
            stored = await client.upload(b"one two two", "words.txt", processor="word-count")
            assert (await client.finished_job(stored["job"]))["event"] == "succeeded"
        assert site.rows("SELECT state, processor FROM processing_job WHERE state = %s", "succeeded") == [
            ("succeeded", "word-count")
        ]
    assert server.poll() == 0
    assert server not in alive


async def test_a_server_and_a_worker_as_separate_processes(postgres_site: Site, postgres: PostgresServer) -> None:
    with postgres_site.server(worker=False) as server, postgres_site.worker() as worker:
        assert worker.children(), "a worker keeps warm children"
        async with wire.connect(server.ws_url) as client:
            stored = await client.upload(b"one two two", "words.txt", processor="word-count")
            assert (await client.finished_job(stored["job"]))["event"] == "succeeded"
    assert len(postgres_site.rows("SELECT id FROM processing_job")) == 1
    postgres.drop_database(postgres_site.database_url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres_site.rows("SELECT 1")


def test_sites_share_nothing(make_site: MakeSite) -> None:
    one, other = make_site(), make_site()
    assert one.env["HEADRACE_VAR_DIR"] != other.env["HEADRACE_VAR_DIR"]
    assert one.env["HEADRACE_CHANNEL_PREFIX"] != other.env["HEADRACE_CHANNEL_PREFIX"]
    session = one.login("ada", staff=True)
    assert one.rows("SELECT username, is_staff FROM auth_user") == [("ada", 1)]
    assert other.rows("SELECT username FROM auth_user") == []
    with one.server(worker=False) as server:
        request = urllib.request.Request(f"{server.url}/admin/", headers={"Cookie": f"sessionid={session}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.url == f"{server.url}/admin/", "not sent to the log-in page"


def test_a_site_that_cannot_start_says_why(site: Site) -> None:
    before = [*alive]
    with pytest.raises(AssertionError, match=r"serve ended with 2 before it was ready(?s:.*)HEADRACE_LEASE_SECONDS"):
        site.server(lease_seconds="soon").start()
    with pytest.raises(AssertionError, match=r"manage\.py no-such-command: 1"):
        site.manage("no-such-command")
    assert alive == before
