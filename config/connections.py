"""daphne's bookkeeping of connections and their applications, with what it gets wrong put right.

Importing this module installs Twisted's asyncio reactor: import it before anything else asks for a reactor.
"""

# daphne first: it installs the reactor.
from daphne import server as daphne_server  # isort: skip

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import reactor as _reactor

from config.accesslog import AccessLog
from config.flow import Limits
from config.websocket import WebSocketProtocol

logger = logging.getLogger(__name__)
reactor: Any = _reactor


class Connections(daphne_server.Server):  # type: ignore[misc]
    """daphne's Server but for its start and its stop, which are in config.server."""

    def __init__(
        self, application: Any, address: str, limits: Limits, proxy_headers: bool, redact: Callable[[str], str]
    ) -> None:
        self.limits = limits
        self.access_log = AccessLog(redact)
        super().__init__(
            application,
            endpoints=[address],
            action_logger=self.access_log,
            application_close_timeout=limits.application_seconds,
            proxy_forwarded_address_header="X-Forwarded-For" if proxy_headers else None,
            proxy_forwarded_port_header="X-Forwarded-Port" if proxy_headers else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if proxy_headers else None,
            server_name="",
        )
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self.stopping = False
        self.connections: dict[Any, dict[str, Any]] = {}
        self._tick_seconds = min(1.0, limits.heartbeat_seconds / 4)
        self._ticked_at = 0.0

    def start_checkers(self) -> None:
        """Begin to look after connections; the reactor runs."""
        self._ticked_at = time.monotonic()
        reactor.callLater(self._tick_seconds, self.timeout_checker)
        reactor.callLater(1, self.application_checker)

    # What daphne's protocols call

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the application for one connection; returns the queue that its receive() reads."""
        if not isinstance(protocol, WebSocketProtocol) or protocol.inbox is None:
            return super().create_application(protocol, scope)
        scope.setdefault("asgi", {"version": "3.0"})
        running = self.application(scope=scope, receive=protocol.inbox.get, send=partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(running, loop=self.loop)
        return protocol.inbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """The application's send(): it waits while the peer takes what was sent before."""
        await super().handle_reply(protocol, message)
        if protocol.outbox is None or protocol.outbox.stopped:
            await asyncio.sleep(0)  # who sends in a loop to a peer that is gone must not hold up everybody else
        else:
            await protocol.outbox.room(self.limits.unsent_mark)

    def protocol_disconnected(self, protocol: Any) -> None:
        """As daphne's, but a connection that is unknown (never accepted, already reaped) is no error."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    # What runs by the clock

    def application_checker(self) -> None:
        """Reap what is done. daphne's own checker ends for ever at the first exception."""
        for protocol, details in self.connections.items():
            if "disconnected" in details and isinstance(protocol, WebSocketProtocol) and protocol.inbox is not None:
                # An application that still takes messages is not stuck: its time begins with the last one.
                taken_at = time.time() - (time.monotonic() - protocol.inbox.taken_at)
                details["disconnected"] = max(details["disconnected"], taken_at)
        try:
            super().application_checker()
        except Exception:
            logger.exception("while looking after applications")
            reactor.callLater(1, self.application_checker)
        for protocol, details in list(self.connections.items()):
            ended = not details.keys() & {"application_instance", "disconnected"}
            if ended and isinstance(protocol, WebSocketProtocol):
                protocol.application_ended()

    def timeout_checker(self) -> None:
        """Tick all connections."""
        now = time.monotonic()
        late, self._ticked_at = now - self._ticked_at - self._tick_seconds, now
        for protocol in list(self.connections):
            if late > self._tick_seconds:
                protocol.excuse(late)
            try:
                protocol.check_timeouts()
            except Exception:
                logger.exception("while looking after %r", protocol)
        reactor.callLater(self._tick_seconds, self.timeout_checker)

    # For the shutdown

    def open_websockets(self) -> list[WebSocketProtocol]:
        """Those whose connection is not over."""
        sockets = [protocol for protocol in self.connections if isinstance(protocol, WebSocketProtocol)]
        return [protocol for protocol in sockets if "disconnected" not in self.connections[protocol]]

    async def end_applications(self, seconds: float) -> None:
        """Wait so long for all applications, then cancel what is left, and wait as long again."""
        if running := self._running():
            await asyncio.wait(running, timeout=seconds)
        for application in (left := self._running()):
            application.cancel()
        if left:
            logger.info("cancelled %d applications that did not finish", len(left))
            await asyncio.wait(left, timeout=seconds)

    async def drain(self, seconds: float) -> None:
        """Let closing handshakes end, and what is written reach its peers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (self.open_websockets() or reactor.getWriters()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _running(self) -> list["asyncio.Future[Any]"]:
        futures = [details.get("application_instance") for details in self.connections.values()]
        return [future for future in futures if future is not None and not future.done()]
