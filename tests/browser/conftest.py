"""One server for the pages' tests: each has a browser profile of its own, which is an owner of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.parts import PROCESSORS
from tests.harness.site import Server, Site


@pytest.fixture(scope="session")
def pages(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with tests/processors.py, where a browser that is not logged in owns what it uploads."""
    folder = tmp_path_factory.mktemp("pages")
    site = Site(folder, template=sqlite_template, processors=PROCESSORS, anonymous_sessions=True)
    with site.server() as server:
        yield server
