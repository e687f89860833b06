"""config/server.py with an application made for its tests: `python -m tests.integration.server_application JSON`.

The JSON object: `limits` (fields of Limits), `port`, and `hooks`: before_start and before_stop, each a script of words:
"say:TEXT", "raise", "wait:NAME" (until released), "file:PATH" (until it is there), "block" (a thread for a minute).

WebSockets: /ws/KIND/NAME, with the kinds of KINDS below. What happens to one is kept under its name:
GET /record/NAME gives it as JSON, GET /sockets tells of the open ones, GET /release/NAME lets go what waits for a name.
"""

import asyncio
import json
import logging
import socket
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from config.server import CannotListen, Limits, Server
from config.websocket import WebSocketProtocol

Scope = dict[str, Any]

records: defaultdict[str, dict[str, Any]] = defaultdict(
    lambda: {"messages": 0, "bytes": 0, "sent": 0, "disconnect": None, "ended": "", "loop": None, "order": True}
)
released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
threads: list[asyncio.Future[None]] = []
servers: list[Server] = []
before_start_loop: list[asyncio.AbstractEventLoop] = []


def say(text: str) -> None:
    """To the test, on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def take_all(receive: Any, record: dict[str, Any]) -> None:
    """Receive until the disconnect. `order`: do binary messages count up from 0 in their first eight bytes?"""
    while (message := await receive())["type"] == "websocket.receive":
        data = message.get("bytes")
        if data and len(data) >= 8:
            record["order"] = record["order"] and int.from_bytes(data[:8]) == record["messages"]
        record["messages"] += 1
        record["bytes"] += len(data or message.get("text") or "")
    record["disconnect"] = message.get("code")


async def stuck(name: str, receive: Any, send: Any) -> None:
    """Receives nothing until it is released."""
    await released[name].wait()
    await take_all(receive, records[name])


async def sink(name: str, receive: Any, send: Any) -> None:
    """Takes everything."""
    await take_all(receive, records[name])


async def slow(name: str, receive: Any, send: Any) -> None:
    """Takes eight messages a second."""

    async def delayed() -> Any:
        await asyncio.sleep(0.125)
        return await receive()

    await take_all(delayed, records[name])


async def echo(name: str, receive: Any, send: Any) -> None:
    """Sends back what comes."""
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    records[name]["disconnect"] = message.get("code")


async def talk(name: str, receive: Any, send: Any) -> None:
    """Sends 64 KiB messages without end, one after another."""
    listener = asyncio.create_task(take_all(receive, records[name]))
    while not listener.done():
        await send({"type": "websocket.send", "bytes": bytes(1 << 16)})
        records[name]["sent"] += 1


async def shout(name: str, receive: Any, send: Any) -> None:
    """Sends 64 KiB messages without end and without waiting for send()."""
    listener = asyncio.create_task(take_all(receive, records[name]))
    tasks = []
    while not listener.done():
        tasks.append(asyncio.create_task(send({"type": "websocket.send", "bytes": bytes(1 << 16)})))
        records[name]["sent"] += 1
        await asyncio.sleep(0)


async def large(name: str, receive: Any, send: Any) -> None:
    """Sends one message of 20 MiB, then a word."""
    await send({"type": "websocket.send", "text": "x" * (20 << 20)})
    await send({"type": "websocket.send", "text": "done"})
    await take_all(receive, records[name])


async def close(name: str, receive: Any, send: Any) -> None:
    """Closes with the code that is its name, then sends on, which must do no harm."""
    await send({"type": "websocket.close", "code": int(name), "reason": "as asked"})
    await send({"type": "websocket.send", "text": "too late"})
    await take_all(receive, records[name])


async def close_full(name: str, receive: Any, send: Any) -> None:
    """Closes with 4429 once it is released, without having received anything."""
    await released[name].wait()
    await send({"type": "websocket.close", "code": 4429})
    await take_all(receive, records[name])


async def release(name: str, receive: Any, send: Any) -> None:
    """At the first message, lets go what waits for its name: for when no new connection is accepted."""
    await receive()
    released[name].set()
    await take_all(receive, records[name])


async def leave(name: str, receive: Any, send: Any) -> None:
    """Returns without a word."""


async def fail(name: str, receive: Any, send: Any) -> None:
    """Raises."""
    raise ValueError("the application's own mistake")


async def stubborn(name: str, receive: Any, send: Any) -> None:
    """Neither receives nor ends, unless it is cancelled."""
    await asyncio.Event().wait()


KINDS = {
    f.__name__: f
    for f in (stuck, sink, slow, echo, talk, shout, large, close, close_full, release, leave, fail, stubborn)
}


async def websocket(scope: Scope, receive: Any, send: Any) -> None:
    """Accept (unless the kind is `mute`, which never answers, or `deny`) and run the kind."""
    _, _, kind, name = scope["path"].split("/")
    record = records[name]
    record["loop"] = asyncio.get_running_loop() is before_start_loop[0]
    assert (await receive())["type"] == "websocket.connect"
    try:
        if kind == "mute":
            await take_all(receive, record)
        elif kind == "deny":
            await send({"type": "websocket.close"})
        else:
            await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
            await KINDS[kind](name, receive, send)
        record["ended"] = "returned"
    except asyncio.CancelledError:
        record["ended"] = "cancelled"
        raise
    except Exception as error:
        record["ended"] = repr(error)
        raise
    finally:
        say(f"{name} ended {record['ended']} {record['disconnect']}")


def sockets() -> dict[str, Any]:
    """How the open WebSockets are, by name."""
    return {
        protocol.path.decode().rpartition("/")[2]: {
            "paused": protocol.inbox.paused,
            "weight": protocol.inbox.weight,
            "waiting": protocol.outbox.waiting(),
            "user_timeout": protocol.transport.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        }
        for protocol in servers[0].connections
        if isinstance(protocol, WebSocketProtocol) and protocol.inbox is not None and protocol.transport.connected
    }


async def http(scope: Scope, receive: Any, send: Any) -> None:
    """The controls, and `/size`: how long is the body?"""
    _, action, *rest = scope["path"].split("/")
    if action == "release":
        released[rest[0]].set()
    body: Any = {
        "record": lambda: records[rest[0]],
        "sockets": sockets,
        "scope": lambda: {"root_path": scope["root_path"]},
    }.get(action, lambda: None)()
    if action == "size":
        body = 0
        while (message := await receive())["type"] == "http.request":
            body += len(message["body"])
            if not message["more_body"]:
                break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    if action == "download":
        for _ in range(int(rest[1])):
            await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
            records[rest[0]]["sent"] += 1
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def application(scope: Scope, receive: Any, send: Any) -> None:
    """ASGI."""
    await {"http": http, "websocket": websocket}[scope["type"]](scope, receive, send)


async def play(script: str) -> None:
    """Run a hook's script."""
    for word in script.split():
        verb, _, argument = word.partition(":")
        if verb == "say":
            say(argument)
        elif verb == "file":
            while not Path(argument).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        elif verb == "wait":
            await released[argument].wait()
        elif verb == "raise":
            raise RuntimeError("a hook failed")
        elif verb == "block":  # a thread that does not come back
            threads.append(asyncio.get_running_loop().run_in_executor(None, time.sleep, 60))


def main(options: dict[str, Any]) -> int:
    """Serve until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    hooks = options.get("hooks", {})

    async def before_start() -> None:
        before_start_loop.append(asyncio.get_running_loop())
        await play(hooks.get("before_start", ""))

    async def before_stop() -> None:
        await play(hooks.get("before_stop", ""))

    server = Server(
        application,
        "127.0.0.1",
        options.get("port", 0),
        limits=Limits(**options.get("limits", {})),
        before_start=before_start,
        before_stop=before_stop,
        on_ready=lambda ready: say(f"\nport {ready.port}"),
    )
    servers.append(server)
    try:
        return server.run()
    except CannotListen as error:
        say(f"{type(error).__name__}: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
