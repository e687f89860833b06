"""The unit tests of the rows once more, on Postgres: leases, events, services."""

import os
import re
import subprocess

import pytest

from tests.harness.process import python
from tests.harness.services import PostgresServer
from tests.harness.site import CHECKOUT

FILES = ("test_leases.py", "test_releases.py", "test_events.py", "test_services.py")


@pytest.mark.timeout(180)
def test_claims_leases_and_events_on_postgres(postgres: PostgresServer) -> None:
    files = [f"tests/unit/processing/{name}" for name in FILES]
    done = subprocess.run(
        python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *files),
        cwd=CHECKOUT,
        env={**os.environ, "TEST_DATABASE_URL": postgres.create_database()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    ran = re.search(r"(\d+) passed", done.stdout)
    assert ran
    assert int(ran[1]) >= 35
