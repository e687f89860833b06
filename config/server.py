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
- `before_start()` is awaited before the first connection is accepted (the port is bound already, so clients wait). What
  it raises ends the server and comes out of serve().
- `on_ready(server)` is called once connections are accepted; `server.port` is the port, also where 0 was asked for.
- `before_stop()` is awaited after SIGTERM or SIGINT: no connection is accepted any more, those that are open go on. It
  bounds its own time, and is left out where before_start() did not get to its end. After it every WebSocket
  application gets websocket.disconnect with code 1012 and every peer a close frame 1012; applications that are not done
  `limits.stop_seconds` later are cancelled.
- serve() returns 0, or 130 where a second SIGINT cut the shutdown short.

Importing this module installs Twisted's asyncio reactor: import it before anything else asks for a reactor.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from config.accesslog import log_twisted
from config.connections import Connections, reactor
from config.flow import Limits
from config.listening import CannotListen, PortTaken, listen
from config.webrequest import HTTPFactory
from config.websocket import WebSocketFactory

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]
SERVICE_RESTART = 1012
INTERRUPTED = 130
HURRY_SECONDS = 2
"""After a second SIGINT the process is gone within this time, whatever its threads do."""


def serve(application: Any, *, host: str = "127.0.0.1", port: int = 8000, **options: Any) -> int:
    """Serve until a signal. The exit code: 0, or 130 after a second SIGINT.

    `options` are those of Server. Raises PortTaken, CannotListen, and what `before_start` raises.
    """
    return Server(application, host, port, **options).run()


class Server(Connections):
    """The server's start and stop. One per process: Twisted's reactor runs once."""

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
        super().__init__(application, f"{host}:{port}", limits or Limits(), proxy_headers, redact)
        self.host, self.port = host, port
        self._before_start, self._before_stop, self._on_ready = before_start, before_stop, on_ready
        self._begin: asyncio.Task[None] | None = None
        self._end: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._begun = self._hurry = False

    # Start

    def run(self) -> int:
        """Listen and serve; see serve()."""
        self._socket = listen(self.host, self.port)
        self.port = self._socket.getsockname()[1]
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
        return INTERRUPTED if self._hurry else 0

    def _start(self) -> None:
        self.start_checkers()
        self._begin = self.loop.create_task(self._open())
        self._begin.add_done_callback(self._opened)

    async def _open(self) -> None:
        if self._before_start is not None:
            await self._before_start()
        self._begun = True
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
    def _signals(self) -> Iterator[None]:
        """Handlers on the loop; Twisted's own would print a traceback at a second signal."""
        main = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGTERM, signal.SIGINT) if main else ()
        for number in numbers:
            self.loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in numbers:
                self.loop.remove_signal_handler(number)

    def _signalled(self, number: signal.Signals) -> None:
        if not self.stopping:
            self.stop()
        elif number == signal.SIGINT and not self._hurry:
            self._hurry = True
            # A thread that does not return would hold up the interpreter's end.
            watchdog = threading.Timer(HURRY_SECONDS, os._exit, (INTERRUPTED,))
            watchdog.daemon = True
            watchdog.start()
            if self._end is not None:
                self._end.cancel()

    def stop(self) -> None:
        """Begin the orderly shutdown, once."""
        if not self.stopping:
            self.stopping = True
            reactor.stop()

    def kill_all_applications(self) -> "Deferred[Any]":
        """Twisted's `before shutdown` trigger: the reactor goes on until the Deferred fires."""
        self.stopping = True
        self._end = self.loop.create_task(self._shut_down())
        done: Deferred[Any] = Deferred()
        self._end.add_done_callback(lambda _: done.callback(None))
        return done

    async def _shut_down(self) -> None:
        await self._close_port()
        if self._before_stop is not None and self._begun:
            try:
                await self._before_stop()
            except Exception:
                logger.exception("before_stop failed; the shutdown goes on")
        for protocol in self.open_websockets():
            protocol.shut_down(SERVICE_RESTART)
        await self.end_applications(self.limits.stop_seconds)
        await self.drain(self.limits.close_seconds)

    async def _close_port(self) -> None:
        if self._begin is not None and not self._begin.done():
            self._begin.cancel()
            await asyncio.wait([self._begin])
        if hasattr(self, "_listening"):
            await maybeDeferred(self._listening.stopListening).asFuture(self.loop)
        else:
            self._socket.close()

    def _sweep(self) -> None:
        """What still runs on the loop is cancelled, as asyncio.run() would do."""
        if tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=HURRY_SECONDS / 4 if self._hurry else 5))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())


__all__ = ["CannotListen", "Limits", "PortTaken", "Server", "serve"]
