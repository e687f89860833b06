"""daphne's WebSocket with flow control in both directions, closes that arrive, and idleness that is the peer's own.

Why each override is here: docs/decisions/0001-daphne-read-pausing.md.
"""

import contextlib
import logging
import socket
import time
from functools import partial
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne import ws_protocol
from twisted.internet.defer import Deferred

from config.flow import Inbox, Limits, Outbox
from config.frames import FrameReader
from config.liveness import Liveness, hung_up

logger = logging.getLogger(__name__)


class WebSocketProtocol(FrameReader):
    """One WebSocket connection."""

    path = b""
    client_addr: list[Any] | None = None
    wasNotCleanReason: str | None  # noqa: N815
    status = 400
    """Of the handshake's answer, for the log."""

    def connectionMade(self) -> None:  # noqa: N802
        """Twisted: the HTTP side hands the connection over."""
        super().connectionMade()
        self.server = self.factory.server_class
        self.limits: Limits = self.server.limits
        self.opened_at = time.monotonic()
        self.liveness = Liveness(self.limits.heartbeat_seconds, self.opened_at)
        self.outbox = Outbox(self.transport)
        self.transport.unregisterProducer()  # the HTTP channel's, which has no part in this any more
        self.transport.registerProducer(self.outbox, True)
        _bound_silence(self.transport.getHandle(), self.limits.heartbeat_seconds * 3)

    def onConnect(self, request: Any) -> "Deferred[Any]":  # noqa: N802
        """autobahn: the client's handshake is read. Raises ConnectionDeny."""
        self.path = request.path.encode("ascii", "replace")
        if self.server.stopping:
            self.status = 503
            raise _deny(503, "Service Unavailable")
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise _deny(400, "Bad Request")
        self.inbox = Inbox(
            self.limits.received_high, self.limits.received_low, self._pause_reading, self._resume_reading
        )
        answer: Deferred[Any] = super().onConnect(request)
        return answer

    # What goes out

    def handle_reply(self, message: dict[str, Any]) -> None:
        """The application's send(). What comes after the close is dropped, as ASGI wants it."""
        if self.state == self.STATE_CONNECTING or message.get("type") not in ("websocket.send", "websocket.close"):
            super().handle_reply(message)
        elif self.state == self.STATE_OPEN and message["type"] == "websocket.close":
            self.close(message.get("code") or 1000, message.get("reason") or "")
        elif self.state == self.STATE_OPEN:
            super().handle_reply(message)

    def serverAccept(self, subprotocol: str | None = None) -> None:  # noqa: N802
        """The application accepts."""
        self.status = 101
        super().serverAccept(subprotocol)

    def serverReject(self) -> None:  # noqa: N802
        """The application refuses."""
        self.status = 403
        super().serverReject()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        """daphne's close. autobahn's own refuses all codes but 1000 and from 3000 on."""
        self.close(code or 1000)

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake. Messages that the application has not taken are forgotten."""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123] or None)
        self.outbox.stopProducing()  # no send() need wait: what comes after the close is dropped
        if self.inbox is not None:
            self.inbox.close()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        """autobahn: everything that is written passes here."""
        if self.outbox.overflows(self.limits.unsent_bytes):
            self.cut_off("more waits to be written than is allowed")
            return
        self.outbox.wrote(len(data))
        self.transport.write(data)  # neither the server nor daphne asks autobahn for chopped or synchronous writes

    def cut_off(self, reason: str) -> None:
        """End the connection now, in whatever state it is. The application gets websocket.disconnect."""
        if self.transport.connected:
            logger.info("%r is cut off: %s", self, reason)
            self.wasNotCleanReason = reason
            self.transport.abortConnection()

    # The end

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        """autobahn: the connection is over."""
        self.outbox.stopProducing()
        if self.failedByMe:
            code = self.localCloseCode
        code = 1005 if code is None else code
        self.server.protocol_disconnected(self)
        if self.inbox is not None:
            self.inbox.finish(code)
        self.server.access_log.websocket(self, code)

    def _closeConnection(self, abort: bool = False) -> None:  # noqa: N802
        """autobahn: drop TCP. It would send a reset where both close frames have been exchanged."""
        super()._closeConnection(abort and not self.wasClean)

    def check_timeouts(self) -> None:
        """The server's tick."""
        if not self.transport.connected:
            return
        now = time.monotonic()
        if self.outbox.stalled_for(now) >= 2 * self.limits.heartbeat_seconds:
            self.cut_off("the peer takes nothing")
        elif self.state == self.STATE_CONNECTING:
            if now - self.opened_at > self.limits.connect_seconds and hasattr(self, "handshake_deferred"):
                self.serverReject()
        elif reason := self._why_gone(now):
            self.cut_off(reason)
        elif self.liveness.ping_due(now, self.outbox.unsent()):
            # Also while nothing is read: a dead peer's kernel does not acknowledge it, and TCP_USER_TIMEOUT strikes.
            self.sendPing()

    def _why_gone(self, now: float) -> str:
        if self.inbox is not None and self.inbox.paused:
            sock, patience = self.transport.getHandle(), self.limits.application_seconds
            if self.liveness.abandoned(now, partial(hung_up, sock), self.inbox.taken_at, patience):
                return "the peer is gone and the application does not read"
        elif self.liveness.silent(now):
            return "the peer is silent"
        return ""

    def excuse(self, seconds: float) -> None:
        """This process stood still for so long, and cannot blame the peer for it."""
        self.liveness.excuse(seconds)
        self.outbox.excuse(seconds)

    def shut_down(self, code: int) -> None:
        """The server stops: tell the peer and the application."""
        if self.state == self.STATE_CONNECTING:
            if hasattr(self, "handshake_deferred"):
                self.status = 503
                self.handshake_deferred.errback(_deny(503, "Service Unavailable"))
                del self.handshake_deferred
        elif self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code)
            self.outbox.stopProducing()
        if self.inbox is not None:
            self.inbox.finish(code)

    def application_ended(self) -> None:
        """The application returned, and the connection is still open: nobody would ever read it."""
        if self.state == self.STATE_CONNECTING:
            self.handle_exception(None)
        else:
            self.close(1000)


class WebSocketFactory(ws_protocol.WebSocketFactory):  # type: ignore[misc]
    """Makes the protocol above. No compression: uploads are mostly compressed already, and it costs memory and CPU."""

    protocol = WebSocketProtocol

    def __init__(self, server: Any, limits: Limits) -> None:
        super().__init__(server, server="")
        self.setProtocolOptions(
            allowNullOrigin=True,  # origins are judged by the application
            openHandshakeTimeout=0,  # check_timeouts() answers 403; autobahn would drop the connection
            closeHandshakeTimeout=limits.close_seconds,
            autoPingInterval=0,
            autoPingTimeout=0,
            maxMessagePayloadSize=0,  # autobahn's limit would hold for what the server sends, too
            maxFramePayloadSize=0,
            failByDrop=True,
            perMessageCompressionAccept=lambda _: None,
        )


def _deny(status: int, reason: str) -> Exception:
    denial: Exception = ConnectionDeny(status, reason)  # type: ignore[no-untyped-call]
    return denial


def _bound_silence(sock: socket.socket, seconds: float) -> None:
    """Let the kernel give up on a peer that acknowledges nothing."""
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
