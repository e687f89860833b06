"""Which consumer a WebSocket gets: by the subprotocol that it offers."""

from typing import Any

from uploads.consumers import SUBPROTOCOL, UploadConsumer
from uploads.plain import PlainConsumer

_consumer = UploadConsumer.as_asgi()
_plain = PlainConsumer.as_asgi()


async def websocket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`headrace.v1` if it is offered, the plain dialect if nothing is, else the handshake is refused."""
    offered = scope.get("subprotocols") or []
    if SUBPROTOCOL in offered:
        await _consumer(scope, receive, send)
    elif not offered:
        await _plain(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close", "code": 1002})
