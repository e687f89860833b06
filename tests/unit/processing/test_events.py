"""Events: rows, wire form, replay, news. On Postgres too, as test_leases.py."""

import asyncio
import uuid
from typing import Any

import pytest
from channels.layers import get_channel_layer

from processing import doorbell, events, leases, services
from processing.courier import WAITING, Courier
from processing.events import News
from processing.leases import Outcome
from processing.lifecycle import JobState
from processing.models import Job
from tests.unit.processing.making import claim_one, make_job, row

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_thousand_partials_replay_in_order() -> None:
    job = make_job()
    claimed = claim_one()
    for start in range(0, 1000, 200):
        leases.record(claimed, [("partial", {"data": number}) for number in range(start, start + 200)])
    after, seen = 2, []
    while page := events.replay(job.pk, after, 300):
        seen += page
        after = page[-1]["seq"]
    assert [message["data"] for message in seen] == list(range(1000))
    assert [message["seq"] for message in seen] == list(range(3, 1003))
    assert {message["job"] for message in seen} == {str(job.pk)}


def test_progress_carries_the_number_of_the_last_durable_event() -> None:
    make_job(reply_channel="specific.x!y")
    claimed = claim_one()
    channel, _, message = events.progress(claimed, {"done": 5, "total": None})
    assert channel == "specific.x!y"
    assert (message["event"], message["seq"], message["attempt"], message["done"]) == ("progress", 2, 1, 5)


def test_the_state_of_a_job_tells_what_a_page_shows() -> None:
    make_job()
    job = claim_one()
    leases.heartbeat({job.pk: 1}, {job.pk: {"done": 1}})
    state = events.state(row(job))
    assert (state["state"], state["progress"], state["error"], state["result"]) == ("running", {"done": 1}, None, None)
    leases.finish(job, Outcome(JobState.FAILED, error_code="bad_row", error_message="Row 3.", traceback="secret"))
    state = events.state(row(job))
    assert state["error"] == {"code": "bad_row", "message": "Row 3."}
    assert "secret" not in repr(state)
    assert "secret" not in repr(events.replay(job.pk, 0))


async def heard_on(channel: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = await get_channel_layer().receive(channel)
    return message


def news(job_id: uuid.UUID, event: str, channel: str = "", **fields: Any) -> News:
    return channel, job_id, {"type": "job.event", "job": str(job_id), "event": event, **fields}


async def test_news_reach_the_originating_channel_and_the_group() -> None:
    layer, job_id = get_channel_layer(), uuid.uuid4()
    mine, other = await layer.new_channel(), await layer.new_channel()
    await layer.group_add(doorbell.job_group(job_id), other)
    await events.announce([news(job_id, "started", mine)])
    for channel in (mine, other):
        assert await heard_on(channel) == {"type": "job.event", "event": news(job_id, "started")[2]}


async def test_the_courier_never_waits_and_never_drops_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    gate = asyncio.Event()

    async def slow(pieces: list[News]) -> None:
        await gate.wait()
        sent.extend(message["event"] for _, _, message in pieces)

    monkeypatch.setattr(events, "announce", slow)
    courier, job_id = Courier(), uuid.uuid4()
    courier.post([news(job_id, "partial", data=n) for n in range(WAITING)])
    courier.post([news(job_id, "succeeded")])
    courier.post([news(job_id, "progress") for _ in range(3 * WAITING)])
    gate.set()
    await courier.settle(5)
    assert len(sent) <= WAITING + 1
    assert sent.count("succeeded") == 1


async def test_the_courier_gives_up_a_layer_that_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs(pieces: list[News]) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(events, "announce", hangs)
    courier = Courier()
    courier.post([news(uuid.uuid4(), "succeeded")])
    await courier.settle(0.05)
    assert "did not go out" in caplog.text


async def test_the_courier_survives_a_layer_that_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def raises(pieces: list[News]) -> None:
        raise TypeError("no such channel")

    monkeypatch.setattr(events, "announce", raises)
    courier, job_id = Courier(), uuid.uuid4()
    courier.post([news(job_id, "started")])
    await courier.settle(5)
    monkeypatch.undo()
    assert "could not be sent" in caplog.text
    layer = get_channel_layer()
    channel = await layer.new_channel()
    courier.post([news(job_id, "succeeded", channel)])
    await courier.settle(5)
    assert (await heard_on(channel))["event"]["event"] == "succeeded"


def test_the_news_of_a_transaction_that_fails_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring", lambda group, message: rung.append(group))
    with pytest.raises(RuntimeError), transaction.atomic():
        make_job()
        assert rung == []
        raise RuntimeError
    assert rung == []
    assert not Job.objects.exists()
    job = make_job()
    assert set(rung) == {doorbell.queue_group("default"), doorbell.job_group(job.pk)}
    services.request_cancel(job)
    assert len(rung) == 3
