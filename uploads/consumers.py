"""The WebSocket end: `headrace.v1` on one socket. It only moves frames; uploads/session.py carries out what they
ask.
"""

import weakref
from typing import Any, ClassVar

from channels.consumer import AsyncConsumer

from processing import access
from processing.errors import Unauthorized
from processing.threads import in_db
from uploads.session import Session

SUBPROTOCOL = "headrace.v1"


class UploadConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket.

    It reads the socket itself in place of Channels' dispatch, which awaits a thread hop for every message (0.2 ms), and
    hears the channel layer through uploads/mailbox.py, so that a layer that is away does not end the socket.
    """

    live: ClassVar["weakref.WeakSet[Session]"] = weakref.WeakSet()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        session = Session(send)
        try:
            principal = await in_db(access.of_scope, scope)
        except Unauthorized as error:
            session.protocol.failed(None, error)
            await session.flush()
            return
        self.live.add(session)
        try:
            await session.start(principal)
            await self._read(session, receive)
        finally:
            self.live.discard(session)
            await session.close()

    async def _read(self, session: Session, receive: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if (frame := message.get("bytes")) is not None:
                await session.data(frame)
            else:
                await session.text(message["text"])


async def say_bye(reason: str = "restart", retry_after_seconds: float = 1) -> None:
    """Tell every socket of this process that it is about to end."""
    for session in list(UploadConsumer.live):
        await session.bye(reason, retry_after_seconds)
