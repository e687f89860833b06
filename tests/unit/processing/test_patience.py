"""Database calls that outlast an outage."""

import sqlite3
import time
from typing import Any

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from processing.patience import Patience, TooLateError

pytestmark = pytest.mark.django_db(transaction=True)


class Flaky:
    """Raises these in turn, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


async def test_it_tries_on_and_logs_each_outage_once(caplog: pytest.LogCaptureFixture) -> None:
    database = Patience()
    flaky = Flaky(OperationalError("gone\nfor now"), InterfaceError("closed"), OperationalError("starting up"))
    assert await database.call(flaky) == 7
    assert flaky.calls == 4
    assert caplog.records[0].getMessage().endswith("OperationalError: gone for now")
    assert "is back after" in caplog.records[1].getMessage()
    assert len(caplog.records) == 2
    await database.call(Flaky(OperationalError("again")))
    assert len(caplog.records) == 4


async def test_it_gives_up_at_the_deadline_and_no_sooner() -> None:
    flaky = Flaky(*[OperationalError("gone")] * 1000)
    begun = time.monotonic()
    with pytest.raises(TooLateError, match="gone"):
        await Patience().call_until(lambda: begun + 1, flaky)
    assert 0.3 < time.monotonic() - begun < 2


@pytest.mark.parametrize("error", [IntegrityError("twice"), ValueError("no")])
async def test_what_no_waiting_mends_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        await Patience().call(Flaky(error))


async def test_a_wrong_statement_on_sqlite_is_raised_and_a_lock_is_not(settings: Any) -> None:
    from django.db import connection

    def wrong() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    with pytest.raises(OperationalError, match="no such table"):
        await Patience().call(wrong)
    locked = OperationalError("database is locked")
    locked.__cause__ = sqlite3.OperationalError("database is locked")
    locked.__cause__.sqlite_errorcode = sqlite3.SQLITE_BUSY
    assert await Patience().call(Flaky(locked)) == 7
