"""System checks of the settings as a whole; `manage.py check` runs them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from config.environment import HEADER_BYTES

FRAME_LIMIT = 1 << 20
"""What every server that we run under takes in one WebSocket message."""


@register
def chunk_fits_message(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A chunk with its header must fit the server's message limit."""
    chunk = settings.HEADRACE.chunk_bytes
    if chunk + HEADER_BYTES <= FRAME_LIMIT:
        return []
    return [
        Error(
            f"HEADRACE_CHUNK_BYTES is {chunk}: with its {HEADER_BYTES} byte header a chunk is over the message limit, "
            f"{FRAME_LIMIT}.",
            hint=f"Set it to {FRAME_LIMIT - HEADER_BYTES} or less.",
            id="headrace.E001",
        )
    ]
