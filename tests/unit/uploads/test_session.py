"""What bounds one socket's memory, without a socket."""

import asyncio
import json
import struct
import uuid
from typing import Any

import pytest

from processing.access import NOBODY
from tests.harness.waiting import wait_for
from uploads import session as rooms
from uploads import store as stores
from uploads.session import Session
from uploads.transfer import Transfer

pytestmark = pytest.mark.django_db(transaction=True)


async def started() -> tuple[Session, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(json.loads(message["text"]) if "text" in message else message)

    session = Session(send)
    await session.start(NOBODY)
    return session, sent


async def test_a_client_that_asks_faster_than_it_is_answered_is_read_no_further() -> None:
    session, _ = await started()
    answer = asyncio.Event()

    async def slow(*_: object) -> None:
        await answer.wait()

    session._desk.serve = slow  # type: ignore[method-assign, assignment]
    asking = asyncio.create_task(_ask_for_ever(session))
    await asyncio.sleep(0.05)
    assert not asking.done()
    assert len([task for task in session._errands if "_ask" in repr(task)]) == rooms.QUESTIONS
    answer.set()
    await asyncio.wait_for(asking, 5)
    await session.close()


async def _ask_for_ever(session: Session) -> None:
    for _ in range(100):
        await session.text(json.dumps({"type": "job.cancel", "job": str(uuid.uuid4())}))


async def test_received_bytes_that_are_not_stored_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store stands still the socket is read no further than PENDING_BYTES and one chunk."""
    session, sent = await started()
    await session.text(json.dumps({"type": "upload.open", "ref": 0, "name": "x", "size": None}))
    opened = await wait_for(lambda: [message for message in sent if message["type"] == "upload.opened"])
    stored = asyncio.Event()
    store = Transfer._store

    async def stuck(self: Transfer, writer: Any) -> None:
        await stored.wait()
        await store(self, writer)

    monkeypatch.setattr(Transfer, "_store", stuck)
    chunk = 1 << 19
    sending = asyncio.create_task(_send(session, chunk, 14))
    await asyncio.sleep(0.2)
    assert not sending.done()
    assert rooms.PENDING_BYTES < session._pending <= rooms.PENDING_BYTES + chunk
    stored.set()
    await asyncio.wait_for(sending, 10)
    await session.close()
    assert session._pending == 0
    assert stores.store().size(uuid.UUID(opened[0]["upload"])) == 14 * chunk


async def _send(session: Session, chunk: int, count: int) -> None:
    for number in range(count):
        await session.data(struct.pack(">IQ", 0, number * chunk) + bytes(chunk))
