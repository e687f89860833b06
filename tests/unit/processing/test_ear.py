"""The worker's ear on a layer that fails in every way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers

from processing import doorbell, ear
from processing.ear import NAME, Ear
from tests.harness.waiting import wait_for


class Awake:
    def __init__(self) -> None:
        self.times = 0

    def wake(self) -> None:
        self.times += 1


class Moody(InMemoryChannelLayer):  # type: ignore[misc]
    """A layer that raises in the calls named in `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.joined: list[tuple[str, str]] = []

    async def _maybe(self, call: str) -> None:
        await asyncio.sleep(0)
        if call in self.broken:
            raise ConnectionError(f"{call} is broken")

    async def new_channel(self, prefix: str = "specific.") -> str:
        await self._maybe("new_channel")
        name: str = await super().new_channel(prefix)
        return name

    async def group_add(self, group: str, channel: str) -> None:
        await self._maybe("group_add")
        self.joined.append((group, channel))
        await super().group_add(group, channel)

    async def receive(self, channel: str) -> Any:
        await self._maybe("receive")
        return await super().receive(channel)


@pytest.fixture
async def layer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moody]:
    monkeypatch.setattr(ear, "LONGEST_PAUSE", 0.2)
    made = Moody()
    before = channel_layers.set("default", made)
    yield made
    channel_layers.backends = {} if before is None else {"default": before}


async def rings(layer: Moody, awake: Awake, group: str) -> None:
    """A ring of this group is heard."""
    before = awake.times
    await layer.group_send(group, {"type": "job.available", "queue": "q"})
    await wait_for(lambda: awake.times > before, 5, what=f"a ring of {group}")


@pytest.mark.parametrize("broken", [(), ("new_channel",), ("group_add",), ("receive",), ("new_channel", "receive")])
async def test_it_hears_once_the_layer_works(layer: Moody, broken: tuple[str, ...], caplog: Any) -> None:
    awake = Awake()
    layer.broken = set(broken)
    listening = Ear(awake, ["q", "other"])
    listening.open()
    await asyncio.sleep(0.5)
    layer.broken = set()
    await wait_for(lambda: {group for group, _ in layer.joined} >= {doorbell.WORKERS, doorbell.queue_group("other")})
    for group in (doorbell.queue_group("q"), doorbell.queue_group("other"), doorbell.WORKERS):
        await rings(layer, awake, group)
    assert caplog.text.count("is away") == (1 if broken else 0), "told once"
    await listening.close()


async def test_it_hears_its_name_too(layer: Moody) -> None:
    awake = Awake()
    listening = Ear(awake, ["q"])
    listening.open()
    await wait_for(lambda: awake.times)
    before = awake.times
    await layer.send(NAME, {"type": "job.available"})
    await wait_for(lambda: awake.times > before)
    await listening.close()


async def test_it_joins_again_after_its_groups_were_forgotten(layer: Moody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ear, "REJOIN_SECONDS", 0.2)
    awake = Awake()
    listening = Ear(awake, ["q"])
    listening.open()
    await rings(layer, awake, doorbell.queue_group("q"))
    layer.groups.clear()
    layer.joined.clear()
    await wait_for(lambda: layer.joined)
    await rings(layer, awake, doorbell.queue_group("q"))
    await listening.close()


async def test_it_closes_while_the_layer_is_down(layer: Moody) -> None:
    layer.broken = {"new_channel", "receive"}
    listening = Ear(Awake(), ["q"])
    listening.open()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        await listening.close()
