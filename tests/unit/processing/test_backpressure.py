"""Reports: a child that is quicker than the database waits, and nothing is lost or out of order."""

import asyncio
import time
from typing import Any

import pytest

from processing import leases, reports
from processing.courier import Courier
from processing.errors import LostLease
from processing.models import Job
from processing.patience import Patience
from processing.reports import Reports
from tests.harness.waiting import wait_for

Event = tuple[str, dict[str, Any]]


class Database(Patience):
    """A database that answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.written: list[Event] = []
        self.batches = 0
        self.error: Exception | None = None

    async def call_until(self, deadline: Any, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        assert func is leases.record
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        self.batches += 1
        self.written += args[1]
        return []


@pytest.fixture
async def database() -> Database:
    return Database()


def make(database: Database) -> Reports:
    return Reports(Job(seq=2, attempt=1), database, Courier())


def partial(number: int) -> dict[str, Any]:
    return {"type": "partial", "data": number}


async def test_a_child_waits_while_too_much_is_unwritten(database: Database) -> None:
    made = make(database)
    taken = 0

    async def child() -> None:
        nonlocal taken
        for number in range(2000):
            await made.take(partial(number))
            taken += 1

    reading = asyncio.create_task(child())
    await asyncio.sleep(0.3)
    assert taken <= reports.WAITING_EVENTS + 1
    database.answers.set()
    await reading
    left = await made.remaining()
    assert [data["data"] for _, data in [*database.written, *left]] == list(range(2000))
    assert database.batches < 2000 / 50, "they are written in batches"


async def test_large_events_count_by_their_bytes(database: Database) -> None:
    made = make(database)
    reading = asyncio.create_task(_many(made, {"type": "partial", "data": "x" * 60_000}, 100))
    await asyncio.sleep(0.3)
    assert not reading.done()
    assert len(made._waiting) <= 20
    made.stop_holding()
    await asyncio.wait_for(reading, 5)
    database.answers.set()
    await made.remaining()


async def _many(made: Reports, message: dict[str, Any], count: int) -> None:
    for _ in range(count):
        await made.take(message)


async def test_few_events_wait_for_the_end_to_share_its_transaction(database: Database) -> None:
    database.answers.set()
    made = make(database)
    await made.take(partial(1))
    await made.take(partial(2))
    assert [data["data"] for _, data in await made.remaining()] == [1, 2]
    assert database.batches == 0


async def test_what_is_being_written_at_the_end_is_not_written_twice(database: Database) -> None:
    made = make(database)
    await made.take(partial(1))
    await asyncio.sleep(0.1)
    await made.take(partial(2))
    ending = asyncio.create_task(_remaining(made))
    await asyncio.sleep(0.1)
    database.answers.set()
    assert [data["data"] for _, data in await ending] == [2]
    assert [data["data"] for _, data in database.written] == [1]


async def _remaining(made: Reports) -> list[Event]:
    return list(await made.remaining())


async def test_a_lost_lease_is_told_and_the_child_is_read_on(database: Database) -> None:
    lost: list[bool] = []
    made = make(database)

    def lose() -> None:
        lost.append(True)
        made.stop_holding()

    made.lost = lose
    database.error = LostLease()
    database.answers.set()
    await asyncio.wait_for(_many(made, partial(1), 3000), 5)
    await wait_for(lambda: lost)


async def test_what_no_row_can_hold_is_dropped_and_the_rest_goes_on(database: Database, caplog: Any) -> None:
    made = make(database)
    database.error = ValueError("a NUL")
    database.answers.set()
    await made.take(partial(1))
    await wait_for(lambda: "cannot be stored" in caplog.text)
    database.error = None
    await made.take(partial(2))
    await wait_for(lambda: database.written)
    assert [data["data"] for _, data in database.written] == [2]


async def test_progress_is_told_at_most_five_times_a_second(database: Database, monkeypatch: Any) -> None:
    told: list[Any] = []
    made = make(database)
    monkeypatch.setattr(made._courier, "post", lambda news: told.extend(message["done"] for _, _, message in news))
    until = time.monotonic() + 1
    number = 0
    while time.monotonic() < until:
        number += 1
        await made.take({"type": "progress", "done": number, "total": None})
        await asyncio.sleep(0)
    await asyncio.sleep(0.3)
    assert told[-1] == number
    assert told == sorted(told)
    assert 3 <= len(told) <= 7
    assert made.newest == {"done": number, "total": None}
    assert made.unsaved
