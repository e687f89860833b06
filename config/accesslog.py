"""One line per request, without query strings (they may hold a capability); and Twisted's own errors."""

import logging
import time
from collections.abc import Callable
from typing import Any, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)

logger = logging.getLogger("headrace.access")


class AccessLog:
    """daphne's action logger: `client method path status size seconds`, for a WebSocket at its end `101 close-code`.

    `redact` makes a path fit to be read by others.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def __call__(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Called by daphne. It also tells of every step of a WebSocket, which websocket() replaces."""
        if protocol == "http" and action == "complete":
            outcome = f"{details['status']} {details['size']}"
            self._write(details["client"], details["method"], details["path"], outcome, details["time_taken"])

    def unfinished(self, client: Any, method: bytes, path: bytes, outcome: str, seconds: float) -> None:
        """A request that daphne does not tell of: refused before it, or broken off by the peer or for its slowness."""
        address = f"{client.host}:{client.port}" if hasattr(client, "host") else ""
        self._write(address, method.decode("latin1"), path.decode("latin1"), outcome, seconds)

    def websocket(self, protocol: Any, code: int) -> None:
        """A WebSocket that is over."""
        address = "{}:{}".format(*protocol.client_addr) if protocol.client_addr else ""
        outcome = f"101 {code}" if protocol.status == 101 else f"{protocol.status} -"
        self._write(
            address, "WEBSOCKET", protocol.path.decode("latin1") or "-", outcome, time.monotonic() - protocol.opened_at
        )

    def _write(self, client: str | None, method: str, path: str, outcome: str, seconds: float) -> None:
        shown = self._redact(path.partition("?")[0])
        logger.info("%s %s %s %s %.3fs", client or "-", _printable(method), _printable(shown), outcome, seconds)


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode()


def log_twisted() -> None:
    """Errors inside Twisted go to the log `twisted`. What a peer can provoke is a warning there, and left out."""
    errors = cast("ILogFilterPredicate", LogLevelFilterPredicate(LogLevel.error))
    observer = FilteringLogObserver(cast("ILogObserver", STDLibLogObserver("twisted")), [errors])
    globalLogBeginner.beginLoggingTo([cast("ILogObserver", observer)], redirectStandardIO=False, discardBuffer=True)
