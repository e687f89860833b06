"""The harness as pytest fixtures; tests/conftest.py loads them."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import FAILED, browser, open_page, page, page_errors
from tests.harness.process import alive, started
from tests.harness.services import PostgresServer, RedisServer, postgres_server, redis_server
from tests.harness.site import MakeSite, Site, collect_static, migrate

__all__ = ["MakeSite", "browser", "open_page", "page", "page_errors"]

FOLDERS_WITH_A_MARKER = ("integration", "browser", "fault")


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis for the whole run. Sites have prefixes of their own in it; who stops it takes own_redis."""
    with redis_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis for one test, to stop, restart and flush."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One Postgres for the whole run; create_database() gives a test its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A Postgres for one test, to stop and restart."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A var/ folder with a migrated SQLite database and the static files: migrated once, copied for each site."""
    folder = tmp_path_factory.mktemp("template")
    migrate(folder)
    collect_static(folder)
    return folder


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated database, for `create_database(template=...)`."""
    url = postgres.create_database()
    migrate(tmp_path_factory.mktemp("postgres-template"), url)
    return url.rpartition("/")[2]


@pytest.fixture
def make_site(sqlite_template: Path, request: pytest.FixtureRequest) -> Iterator[MakeSite]:
    """`make_site(redis=True, postgres=True, lease_seconds=6)`: a site; `redis` may be a RedisServer."""
    folders: list[Path] = []

    def make(*, redis: bool | RedisServer = False, postgres: bool = False, **settings: Any) -> Site:
        folder = Path(tempfile.mkdtemp(prefix="headrace-site-"))
        folders.append(folder)
        if redis:
            server = redis if isinstance(redis, RedisServer) else request.getfixturevalue("redis")
            settings["redis_url"] = server.url
        if postgres:
            template = request.getfixturevalue("postgres_template")
            settings["database_url"] = request.getfixturevalue("postgres").create_database(template=template)
        return Site(folder, template=sqlite_template, **settings)

    yield make
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """SQLite and the in-memory layer: what `make serve` gives."""
    return make_site()


@pytest.fixture
def redis_site(make_site: MakeSite, redis: RedisServer) -> Site:
    """SQLite and Redis."""
    return make_site(redis=redis)


@pytest.fixture
def postgres_site(make_site: MakeSite, redis: RedisServer, postgres: PostgresServer) -> Site:
    """Postgres and Redis: a deployment on several machines."""
    return make_site(redis=redis, postgres=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Markers that follow from where a test lies and what it asks for."""
    for item in items:
        for folder in FOLDERS_WITH_A_MARKER:
            if folder in item.path.parts:
                item.add_marker(folder)
        used = set(getattr(item, "fixturenames", ()))
        if used & {"redis", "own_redis", "redis_site", "postgres_site"}:
            item.add_marker("redis")
        if used & {"postgres", "own_postgres", "postgres_site"}:
            item.add_marker("postgres")
        if "browser" in used:  # what Playwright hands out lives on the loop on which the browser was started
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    started.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the end of the log of every process that runs, or that it has started."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        processes = dict.fromkeys([*alive, *started])
        report.sections += [(f"log of {process.name}", process.tail()) for process in processes]
    return report
