"""System checks of processing: what `manage.py check` and every start say about the layer, Redis and the processors."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register  # noqa: A004 - Django's own name

from processing.registry import RegistryError, registry

BLOCKING_POP_SECONDS = 5
"""How long channels_redis waits in one blocking pop; a socket timeout at or below it ends every idle receive."""


@register
def processors_load(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every processor module must be importable; one left out for a missing extra is told, not an error."""
    try:
        found = registry()
    except RegistryError as error:
        return [Error(str(error), hint="Look at HEADRACE_PROCESSORS and what it names.", id="headrace.E010")]
    messages: list[CheckMessage] = [
        Info(f"The processor {name} is left out: {why}.", id="headrace.I010") for name, why in found.missing.items()
    ]
    default = settings.HEADRACE.default_processor
    if default and default in found.missing:
        messages.append(Warning(f"HEADRACE_DEFAULT_PROCESSOR {default} is left out.", id="headrace.W010"))
    elif default and default not in found.processors:
        known = ", ".join(found.processors) or "none"
        messages.append(
            Error(
                f"HEADRACE_DEFAULT_PROCESSOR is {default}, and there is no such processor.",
                hint=f"There are: {known}. Empty: uploads that name none make no job.",
                id="headrace.E011",
            )
        )
    return messages


@register
def redis_outlives_idleness(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A Redis layer needs a socket timeout above the blocking pop, and retries: else idleness or a restart ends it."""
    messages: list[CheckMessage] = []
    for alias, layer in settings.CHANNEL_LAYERS.items():
        if not str(layer.get("BACKEND", "")).startswith("channels_redis."):
            continue
        for host in layer.get("CONFIG", {}).get("hosts", ["redis://localhost:6379"]):
            messages += _host(alias, host if isinstance(host, Mapping) else {})
    return messages


def _host(alias: str, host: Mapping[str, Any]) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    timeout = host.get("socket_timeout", BLOCKING_POP_SECONDS)
    if timeout is not None and timeout <= BLOCKING_POP_SECONDS:
        found.append(
            Warning(
                f"The channel layer {alias} has a Redis socket_timeout of {timeout} s: an idle receive ends after it.",
                hint="Give the host a socket_timeout of 15, as config/redis.py does.",
                id="headrace.W011",
            )
        )
    if "retry" not in host:
        found.append(
            Warning(
                f"The channel layer {alias} has a Redis host without retries: a restart of Redis ends its listeners.",
                hint="Give the host retry and retry_on_error, as config/redis.py does.",
                id="headrace.W012",
            )
        )
    return found


def separate_worker() -> list[CheckMessage]:
    """What `runworker` adds: a separate worker shares no in-process layer with the server, so it lives by polling."""
    if "InMemory" not in str(settings.CHANNEL_LAYERS.get("default", {}).get("BACKEND", "")):
        return []
    return [
        Warning(
            "This worker and the server share no channel layer: it polls every "
            f"{settings.HEADRACE.poll_seconds:g} s, and pages learn of its progress at their next heartbeat.",
            hint="Set HEADRACE_REDIS_URL for both.",
            id="headrace.W013",
        )
    ]
