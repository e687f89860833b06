"""One server for all tests of a run that leave it as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.site import Server, Site


@dataclass(frozen=True)
class Running:
    """A site with its one server."""

    site: Site
    server: Server

    @property
    def ws_url(self) -> str:
        return self.server.ws_url


@pytest.fixture(scope="session")
def running(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service as `make serve` runs it: SQLite, in-memory layer, embedded worker."""
    site = Site(
        tmp_path_factory.mktemp("site"),
        template=sqlite_template,
        allowed_origins="https://friend.example",
        processors="tests.processors",
        anonymous_sessions=True,
    )
    with site.server() as server:
        yield Running(site, server)
