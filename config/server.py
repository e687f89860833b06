"""The web server: daphne with flow control, orderly shutdown and bounds on what a peer can make it hold.

The `serve` command calls, in the main thread,

    try:
        code = serve(application, host=host, port=port, limits=Limits(message_bytes=settings.HEADRACE.message_bytes),
                     before_start=..., before_stop=..., on_ready=...)
    except CannotListen as error:     # PortTaken is one
        print one line, exit 2
    sys.exit(code)

- `application` is an ASGI 3 application. There is no lifespan; the hooks take its place. All run on the one event
  loop, Twisted's asyncio reactor.
- `before_start()` is awaited before the first connection is accepted (the port is bound already). What it raises ends
  the server and comes out of serve().
- `on_ready(server)` is called once connections are accepted; `server.port` is the port, also where 0 was asked for.
- `before_stop()` is awaited after SIGTERM or SIGINT: no connection is accepted any more, those that are open go on.
  It bounds its own time. After it every WebSocket application gets websocket.disconnect with code 1012 and every peer
  a close frame 1012; applications that are not done `limits.stop_seconds` later are cancelled.
- serve() returns 0, or 130 where a second SIGINT cut the shutdown short.

Importing this module installs Twisted's asyncio reactor: import it before anything else of Twisted.
"""

# daphne first: it installs the reactor.
from daphne import server as daphne_server  # isort: skip

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred

from config.accesslog import AccessLog, log_twisted
from config.flow import Limits
from config.listening import CannotListen, PortTaken, listen
from config.webrequest import HTTPFactory
from config.websocket import WebSocketFactory, WebSocketProtocol

logger = logging.getLogger(__name__)
reactor: Any = _reactor

Hook = Callable[[], Awaitable[None]]
SERVICE_RESTART = 1012


def serve(application: Any, *, host: str = "127.0.0.1", port: int = 8000, **options: Any) -> int:
    """Serve until a signal. The exit code: 0, or 130 after a second SIGINT.

    `options` are those of Server. Raises PortTaken, CannotListen, and what `before_start` raises.
    """
    return Server(application, host, port, **options).run()


class Server(daphne_server.Server):  # type: ignore[misc]
    """daphne's Server. One per process: Twisted's reactor runs once."""

    def __init__(
        self,
        application: Any,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        limits: Limits | None = None,
        before_start: Hook | None = None,
        before_stop: Hook | None = None,
        on_ready: Callable[["Server"], None] | None = None,
        proxy_headers: bool = False,
        redact: Callable[[str], str] = lambda path: path,
    ) -> None:
        """`proxy_headers`: believe X-Forwarded-For, -Port and -Proto. `redact` makes a path fit for the access log."""
        self.limits = limits or Limits()
        self.access_log = AccessLog(redact)
        super().__init__(
            application,
            endpoints=[f"{host}:{port}"],
            action_logger=self.access_log,
            application_close_timeout=self.limits.application_seconds,
            proxy_forwarded_address_header="X-Forwarded-For" if proxy_headers else None,
            proxy_forwarded_port_header="X-Forwarded-Port" if proxy_headers else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if proxy_headers else None,
            server_name="",
        )
        self.host, self.port = host, port
        self.stopping = False
        self.connections: dict[Any, dict[str, Any]] = {}
        self._before_start, self._before_stop, self._on_ready = before_start, before_stop, on_ready
        self._started: asyncio.Task[None] | None = None
        self._shutdown: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._hurry = False
        self._tick_seconds = min(1.0, self.limits.heartbeat_seconds / 4)

    # Start

    def run(self) -> int:
        """Listen and serve; see serve()."""
        self._socket = listen(self.host, self.port)
        self.port = self._socket.getsockname()[1]
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        asyncio.set_event_loop(self.loop)
        log_twisted()
        self.http_factory = HTTPFactory(self)
        self.ws_factory = WebSocketFactory(self, self.limits)
        reactor.callWhenRunning(self._start)
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        with self._signals():
            reactor.run(installSignalHandlers=False)
        self._sweep()
        if self._failure is not None:
            raise self._failure
        return 130 if self._hurry else 0

    def _start(self) -> None:
        self._ticked_at = time.monotonic()
        reactor.callLater(self._tick_seconds, self.timeout_checker)
        reactor.callLater(1, self.application_checker)
        self._started = self.loop.create_task(self._open())
        self._started.add_done_callback(self._opened)

    async def _open(self) -> None:
        if self._before_start is not None:
            await self._before_start()
        self._listening = reactor.adoptStreamPort(self._socket.fileno(), self._socket.family, self.http_factory)
        self._socket.close()  # Twisted has its own copy
        if self._on_ready is not None:
            self._on_ready(self)

    def _opened(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self.stop()

    # Stop

    @contextlib.contextmanager
    def _signals(self) -> Any:
        """Handlers on the loop; Twisted's own would print a traceback at a second signal."""
        main = threading.current_thread() is threading.main_thread()
        for number in (signal.SIGTERM, signal.SIGINT) if main else ():
            self.loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT) if main else ():
                self.loop.remove_signal_handler(number)

    def _signalled(self, number: signal.Signals) -> None:
        if not self.stopping:
            self.stop()
        elif number == signal.SIGINT and not self._hurry:
            self._hurry = True
            # A thread that does not return would hold up the interpreter's end.
            watchdog = threading.Timer(2, os._exit, (130,))
            watchdog.daemon = True
            watchdog.start()
            if self._shutdown is not None:
                self._shutdown.cancel()

    def stop(self) -> None:
        """Begin the orderly shutdown, once."""
        if not self.stopping:
            self.stopping = True
            reactor.stop()

    def kill_all_applications(self) -> "Deferred[Any]":
        """Twisted's `before shutdown` trigger: the reactor goes on until the Deferred fires."""
        self.stopping = True
        self._shutdown = self.loop.create_task(self._shut_down())
        done: Deferred[Any] = Deferred()
        self._shutdown.add_done_callback(lambda _: done.callback(None))
        return done

    async def _shut_down(self) -> None:
        await self._close_port()
        if self._before_stop is not None:
            try:
                await self._before_stop()
            except Exception:
                logger.exception("before_stop failed; the shutdown goes on")
        for protocol in self._open_websockets():
            protocol.shut_down(SERVICE_RESTART)
        await self._end_applications(self.limits.stop_seconds)
        await self._drain(min(2.0, self.limits.close_seconds))

    async def _close_port(self) -> None:
        started = self._started
        if started is not None and not started.done():
            started.cancel()
            await asyncio.wait([started])
        if hasattr(self, "_listening"):
            await maybeDeferred(self._listening.stopListening).asFuture(self.loop)
        else:
            self._socket.close()

    async def _end_applications(self, seconds: float) -> None:
        if running := self._running():
            await asyncio.wait(running, timeout=seconds)
        for application in (left := self._running()):
            application.cancel()
        if left:
            logger.info("cancelled %d applications that did not finish", len(left))
            await asyncio.wait(left, timeout=seconds)

    async def _drain(self, seconds: float) -> None:
        """Let closing handshakes end, and what is written reach its peers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (self._open_websockets() or reactor.getWriters()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _open_websockets(self) -> list[WebSocketProtocol]:
        sockets = [protocol for protocol in self.connections if isinstance(protocol, WebSocketProtocol)]
        return [protocol for protocol in sockets if "disconnected" not in self.connections[protocol]]

    def _running(self) -> list["asyncio.Future[Any]"]:
        futures = [details.get("application_instance") for details in self.connections.values()]
        return [future for future in futures if future is not None and not future.done()]

    def _sweep(self) -> None:
        """What still runs on the loop is cancelled, as asyncio.run() would do."""
        if tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=0.5 if self._hurry else 5))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())

    # Connections

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

    def application_checker(self) -> None:
        """Reap what is done. daphne's own checker ends for ever at the first exception."""
        for protocol, details in self.connections.items():
            if "disconnected" in details and isinstance(protocol, WebSocketProtocol) and protocol.inbox is not None:
                # An application that still takes messages is not stuck.
                details["disconnected"] = max(details["disconnected"], protocol.inbox.taken_at)
        try:
            super().application_checker()
        except Exception:
            logger.exception("while looking after connections")
            reactor.callLater(1, self.application_checker)
        for protocol, details in list(self.connections.items()):
            if isinstance(protocol, WebSocketProtocol) and not details.keys() & {
                "application_instance",
                "disconnected",
            }:
                protocol.application_ended()

    def timeout_checker(self) -> None:
        """Tick all connections."""
        now = time.monotonic()
        late, self._ticked_at = now - self._ticked_at - self._tick_seconds, now
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketProtocol) and late > self._tick_seconds:
                protocol.excuse(late)
            try:
                protocol.check_timeouts()
            except Exception:
                logger.exception("while looking after %r", protocol)
        reactor.callLater(self._tick_seconds, self.timeout_checker)


__all__ = ["CannotListen", "Limits", "PortTaken", "Server", "serve"]
