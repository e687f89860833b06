"""The reading half of config.websocket: from bytes to bounded messages, and an end for who breaks the protocol."""

import time

from daphne import ws_protocol

from config.flow import LARGE_READ, Inbox, Limits, Outbox
from config.liveness import Liveness

SMALL_READ = 1 << 14
"""Bytes asked of the socket at once where many small frames may lie: autobahn parses one read without a pause, and its
work grows with the square of the read. LARGE_READ where a frame's header promised so much."""

MANY_PIECES = 64
"""From here on a message is gathered in one buffer: a list of tiny fragments would take many times their size."""


class FrameReader(ws_protocol.WebSocketProtocol):  # type: ignore[misc]
    """autobahn's callbacks on the way in."""

    inbox: Inbox | None = None
    limits: Limits
    liveness: Liveness
    outbox: Outbox
    failedByMe: bool  # noqa: N815
    _message: list[bytes] | bytearray

    def cut_off(self, reason: str) -> None:
        """End the connection now."""
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Twisted: bytes from the socket."""
        self.liveness.hear(time.monotonic())
        if self.failedByMe:
            return  # the close frame is out: what still comes is thrown away
        if self.state == self.STATE_CONNECTING and self.inbox is not None:
            # RFC 6455, 4.1: nothing before the server's answer. autobahn would hoard it.
            self.cut_off("data before the handshake was answered")
            return
        self._dataReceived(data)  # what autobahn's dataReceived() does, but for composing a debug line each time
        if self.state == self.STATE_OPEN:
            frame = self.current_frame
            missing = frame.length - self.current_frame_masker.pointer() if frame else 0
            self.transport.bufferSize = min(LARGE_READ, max(SMALL_READ, missing))

    def onMessageBegin(self, isBinary: bool) -> None:  # noqa: N802, N803
        """autobahn: a message begins. It is gathered here: autobahn's list of fragments has no bound."""
        self.message_is_binary = isBinary
        self.message_data_total_length = 0
        self._message = []

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802
        """autobahn: a frame's header is read."""
        self.message_data_total_length += length
        if self.message_data_total_length > self.limits.message_bytes:
            self._fail_connection(1009, f"a message may have {self.limits.message_bytes} bytes")

    def onMessageFrameData(self, payload: bytes) -> None:  # noqa: N802
        """autobahn: a piece of a frame."""
        if self.failedByMe:
            return
        if isinstance(self._message, bytearray):
            self._message += payload
        else:
            self._message.append(payload)
            if len(self._message) > MANY_PIECES:
                self._message = bytearray().join(self._message)

    def onMessageFrameEnd(self) -> None:  # noqa: N802
        """autobahn: a frame is complete."""

    def onMessageEnd(self) -> None:  # noqa: N802
        """autobahn: the message is complete."""
        pieces, self._message = self._message, []
        if self.failedByMe or self.inbox is None:
            return
        message = bytes(pieces) if isinstance(pieces, bytearray) else b"".join(pieces)
        if self.message_is_binary:
            self.inbox.put_nowait({"type": "websocket.receive", "bytes": message})
        else:
            self.inbox.put_nowait({"type": "websocket.receive", "text": message.decode()})

    def _pause_reading(self) -> None:
        if not self.failedByMe:
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        self.liveness.hear(time.monotonic())
        self.transport.resumeProducing()

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
        self.transport.unregisterProducer()  # else the FIN waits for a producer that was paused
        self.outbox.stopProducing()
        self.transport.loseWriteConnection()
        self._resume_reading()
        if self.inbox is not None:
            self.inbox.finish(code)
