"""daphne's HTTP request with a bound on its body, and a send() that waits for a slow reader."""

import time
from typing import Any

from daphne import http_protocol

from config.flow import Outbox


class WebRequest(http_protocol.WebRequest):  # type: ignore[misc]
    """One HTTP request. Its body is buffered (above 100 kB in a temporary file) before the application sees it."""

    error_template = "<!doctype html><title>%(title)s</title><h1>%(title)s</h1><p>%(body)s</p>\n"
    refused = False
    outbox: Outbox | None = None
    _linger: Any = None

    def __init__(self, *args: Any) -> None:
        # Twisted would read a form's whole body into memory, parse it, and nobody would look at the result.
        super().__init__(*args, parsePOSTFormSubmission=False)
        self.limits = self.server.limits

    # The body

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """Twisted: the headers are read; `length` is None for a chunked body."""
        if length is not None and length > self.limits.request_bytes:
            super().gotLength(0)
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Twisted: a piece of the body."""
        if self.refused:
            return
        if self.content.tell() + len(data) > self.limits.request_bytes:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """Twisted: the body is complete."""
        if self.refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        """Twisted: the request is there, for the application or to become a WebSocket."""
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")  # daphne believes it from anybody
        transport = self.transport
        done = super().process()
        if self.transport is None and transport.connected:
            # A WebSocket now. What came in one packet behind its handshake would lie in this channel for ever.
            self.channel.rawDataReceived = transport.protocol.dataReceived
        return done

    def _refuse(self) -> None:
        """Answer 413 at once, close the writing side, and read on for a while so that the answer arrives."""
        self.refused = True
        self.requestHeaders.removeHeader(b"Expect")  # no "100 Continue" after this
        body = b"The request body is too large.\n"
        head = (
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        transport = self.channel.transport
        transport.writeSequence([head, body])
        transport.unregisterProducer()  # else the FIN waits for a producer that was paused
        transport.loseWriteConnection()
        self._linger = self.channel.callLater(self.limits.close_seconds, transport.abortConnection)
        self.server.access_log.unfinished(self.client, self.channel._command, self.channel._path, "413 -", 0)

    # The answer

    def handle_reply(self, message: dict[str, Any]) -> None:
        """The application's send()."""
        if self.outbox is None and not self.finished and self.channel is not None:
            self.outbox = Outbox(self.channel.transport)
            self.registerProducer(self.outbox, True)
        super().handle_reply(message)
        if self.outbox is not None:
            self.outbox.wrote(len(message.get("body", b"")))

    def finish(self) -> None:
        """The answer is complete."""
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Twisted: the connection is over."""
        if self.outbox is not None:
            self.outbox.stopProducing()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        if self.application_queue is not None:
            outcome = f"{self.code if self._response_started else '-'} aborted"
            self.server.access_log.unfinished(self.client, self.method, self.path, outcome, self.duration())
        super().connectionLost(reason)

    def check_timeouts(self) -> None:
        """The server's tick."""
        if self.outbox is None or self.finished or self.channel is None:
            return
        if self.outbox.stalled_for(time.monotonic()) >= 2 * self.limits.heartbeat_seconds:
            self.channel.transport.abortConnection()

    def excuse(self, seconds: float) -> None:
        """This process stood still for so long, and cannot blame the peer for it."""
        if self.outbox is not None:
            self.outbox.excuse(seconds)

    def __repr__(self) -> str:
        """For logs: without the query string."""
        path = self.path.decode("latin1") if self.path else ""
        return f"<WebRequest client={self.client_addr!r} path={path!r}>"


class HTTPFactory(http_protocol.HTTPFactory):  # type: ignore[misc]
    """Makes the request above."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Twisted: a connection was accepted."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = WebRequest
        return protocol
