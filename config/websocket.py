"""daphne's WebSocket with flow control in both directions, closes that arrive, and idleness that is the peer's own.

Why each override is here: docs/decisions/0001-daphne-read-pausing.md.
"""

import contextlib
import logging
import socket
import time
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne import ws_protocol
from twisted.internet.defer import Deferred

from config.flow import Inbox, Limits, Outbox, hung_up

logger = logging.getLogger(__name__)

SMALL_READ = 1 << 14
LARGE_READ = 1 << 18
"""Bytes asked of the socket at once: much where a frame's header promised it, little where many small frames may lie
(autobahn parses one read without a pause, and its work grows with the square of the read)."""


class WebSocketProtocol(ws_protocol.WebSocketProtocol):  # type: ignore[misc]
    """One WebSocket connection."""

    path = b""
    client_addr: list[Any] | None = None
    inbox: Inbox | None = None
    failedByMe: bool  # noqa: N815
    wasNotCleanReason: str | None  # noqa: N815
    status = 400
    """Of the handshake's answer, for the log."""

    def connectionMade(self) -> None:  # noqa: N802
        """Twisted: the HTTP side hands the connection over."""
        super().connectionMade()
        self.server = self.factory.server_class
        self.limits: Limits = self.server.limits
        self.opened_at = self._heard_at = self._pinged_at = time.monotonic()
        self._asked_at: float | None = None  # when the first ping went out that is not answered
        self._hung_up_at: float | None = None
        self._message: bytes | bytearray = b""
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

    # What comes in

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Twisted: bytes from the socket."""
        self._hear()
        if self.failedByMe:
            return  # the close frame is out: what still comes is thrown away
        if self.state == self.STATE_CONNECTING and self.inbox is not None:
            self.dropConnection(
                abort=True
            )  # RFC 6455, 4.1: nothing before the server's answer; autobahn would hoard it
            return
        super().dataReceived(data)
        if self.state == self.STATE_OPEN:
            frame = self.current_frame
            missing = frame.length - self.current_frame_masker.pointer() if frame else 0
            self.transport.bufferSize = min(LARGE_READ, max(SMALL_READ, missing))

    def onMessageBegin(self, isBinary: bool) -> None:  # noqa: N802, N803
        """autobahn: a message begins. It is gathered here, in one buffer: autobahn's list of fragments has no bound."""
        self.message_is_binary = isBinary
        self.message_data_total_length = 0
        self._message = b""

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802
        """autobahn: a frame's header is read."""
        self.message_data_total_length += length
        if self.message_data_total_length > self.limits.message_bytes:
            self._fail_connection(1009, f"a message may have {self.limits.message_bytes} bytes")

    def onMessageFrameData(self, payload: bytes) -> None:  # noqa: N802
        """autobahn: a piece of a frame."""
        if self.failedByMe:
            return
        if not self._message:
            self._message = payload
            return
        if isinstance(self._message, bytes):
            self._message = bytearray(self._message)
        self._message += payload

    def onMessageFrameEnd(self) -> None:  # noqa: N802
        """autobahn: a frame is complete."""

    def onMessageEnd(self) -> None:  # noqa: N802
        """autobahn: the message is complete."""
        message, self._message = self._message, b""
        if not self.failedByMe and self.inbox is not None:
            if self.message_is_binary:
                self.inbox.put_nowait({"type": "websocket.receive", "bytes": bytes(message)})
            else:
                self.inbox.put_nowait({"type": "websocket.receive", "text": message.decode()})

    def _pause_reading(self) -> None:
        if not self.failedByMe:
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        self._hear()  # while nothing was read, nothing could be heard
        self.transport.resumeProducing()

    def _hear(self) -> None:
        self._heard_at, self._asked_at = time.monotonic(), None

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
        if self.inbox is not None:
            self.inbox.close()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        """autobahn: everything that is written passes here."""
        if self.outbox.waiting() > self.limits.unsent_bytes:
            self.cut_off("more waits to be written than is allowed")
            return
        self.outbox.wrote(len(data))
        super().sendData(data, sync, chopsize)

    def cut_off(self, reason: str) -> None:
        """End the connection now, in whatever state it is. The application gets websocket.disconnect."""
        if self.transport.connected:
            logger.info("%r is cut off: %s", self, reason)
            self.wasNotCleanReason = reason
            self.transport.abortConnection()

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        """autobahn: the peer broke the protocol. Say so in a close frame and a FIN, and read on so that it arrives.

        A close with unread data would be a reset, which may overtake the frame. autobahn's two ways are to drop at
        once, without a frame, or (failByDrop=False) to go on parsing garbage, which may hoard it.
        """
        if self.failedByMe or self.state == self.STATE_CLOSED:
            return
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123])
        self.failedByMe = True
        self.data = b""
        self.transport.loseWriteConnection()
        self._resume_reading()
        if self.inbox is not None:
            self.inbox.finish(code)

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

    def check_timeouts(self) -> None:
        """The server's tick."""
        now, beat = time.monotonic(), self.limits.heartbeat_seconds
        if not self.transport.connected:
            return
        if self.outbox.stalled_for(now) >= 2 * beat:
            self.cut_off("the peer takes nothing")
        elif self.state == self.STATE_CONNECTING:
            if now - self.opened_at > self.limits.connect_seconds and hasattr(self, "handshake_deferred"):
                self.serverReject()
        elif self.inbox is not None and self.inbox.paused:
            self._check_paused(self.inbox)
            self._ping(now)
        elif self._asked_at is not None and now - self._asked_at >= 2 * beat:
            self.cut_off("the peer is silent")
        else:
            self._ping(now)

    def excuse(self, seconds: float) -> None:
        """The whole process stood still for so long: the peer could not be heard."""
        if self._asked_at is not None:
            self._asked_at += seconds

    def _ping(self, now: float) -> None:
        """Ping a silent peer, but not one that has still to take what was sent before: the answer would come late.

        Also while nothing is read: a dead peer's kernel does not acknowledge the ping, and TCP_USER_TIMEOUT strikes.
        """
        if now - max(self._heard_at, self._pinged_at) >= self.limits.heartbeat_seconds and not self.outbox.unsent():
            self._pinged_at = now
            self._asked_at = self._asked_at or now
            self.sendPing()

    def _check_paused(self, inbox: Inbox) -> None:
        """The peer may have gone while nothing is read, and the application may never read again."""
        if self._hung_up_at is None:
            if hung_up(self.transport.getHandle()):
                self._hung_up_at = time.time()
        elif time.time() - max(self._hung_up_at, inbox.taken_at) > self.limits.application_seconds:
            self.cut_off("the peer is gone and the application does not read")

    def shut_down(self, code: int) -> None:
        """The server stops: tell the peer and the application."""
        if self.state == self.STATE_CONNECTING:
            if hasattr(self, "handshake_deferred"):
                self.status = 503
                self.handshake_deferred.errback(_deny(503, "Service Unavailable"))
                del self.handshake_deferred
        elif self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code)
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
