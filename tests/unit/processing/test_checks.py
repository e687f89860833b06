"""The system checks of processing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import INFO

from processing import checks
from processing.registry import registry


@pytest.fixture
def with_environment(settings: Any) -> Iterator[Any]:
    """`with_environment(processors=[...])`: the settings with these changes, and a registry made from them."""

    def change(**changes: Any) -> None:
        settings.HEADRACE = settings.HEADRACE.model_copy(update=changes)
        registry.cache_clear()

    yield change
    registry.cache_clear()


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_all_is_well(with_environment: Any) -> None:
    with_environment()
    assert [one for one in checks.processors_load(None) if one.level > INFO] == []
    assert checks.redis_outlives_idleness(None) == []


def test_a_module_that_cannot_be_imported(with_environment: Any) -> None:
    with_environment(processors=["no_such_module"])
    (message,) = checks.processors_load(None)
    assert message.id == "headrace.E010"
    assert "no_such_module" in message.msg


def test_a_default_processor_that_is_not_there(with_environment: Any) -> None:
    with_environment(default_processor="no-such")
    assert "headrace.E011" in ids(checks.processors_load(None))
    with_environment(default_processor="")
    assert "headrace.E011" not in ids(checks.processors_load(None))


def test_a_processor_left_out_is_told(with_environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from processing.registry import Registry

    with_environment(default_processor="needy")
    monkeypatch.setattr(checks, "registry", lambda: Registry({}, {"needy": "it needs duckdb"}))
    assert ids(checks.processors_load(None)) == ["headrace.I010", "headrace.W010"]


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("redis://localhost", ["headrace.W011", "headrace.W012"]),
        ({"address": "redis://localhost", "socket_timeout": 5, "retry": 1}, ["headrace.W011"]),
        ({"address": "redis://localhost", "socket_timeout": 15}, ["headrace.W012"]),
        ({"address": "redis://localhost", "socket_timeout": None, "retry": 1}, []),
    ],
)
def test_redis_options(settings: Any, host: Any, found: list[str]) -> None:
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [host]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    assert ids(checks.redis_outlives_idleness(None)) == found


def test_our_own_redis_options_pass(settings: Any) -> None:
    from config.redis import layer_config

    for kind in ("pubsub", "core"):
        settings.CHANNEL_LAYERS = {"default": layer_config(kind, "redis://localhost", "headrace")}
        assert checks.redis_outlives_idleness(None) == []


def test_a_separate_worker_without_redis_polls(settings: Any) -> None:
    assert ids(checks.separate_worker()) == ["headrace.W013"]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}}
    assert checks.separate_worker() == []
