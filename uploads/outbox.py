"""What waits to be sent on one socket, and whether it must be closed."""

from typing import Any

from uploads.requests import Close

Message = dict[str, Any]


class Outbox:
    """Messages in order. Of those that carry the same key only the newest waits; a Close ends it for good."""

    def __init__(self) -> None:
        self.close: Close | None = None
        self._waiting: dict[object, Message] = {}
        self._count = 0

    def put(self, message: Message) -> None:
        """Send the message, in order."""
        self._count += 1
        self.put_newest(self._count, message)

    def put_newest(self, key: object, message: Message) -> None:
        """Send the message in place of a waiting one of the same key, and behind all that waits."""
        if self.close is None:
            self._waiting.pop(key, None)
            self._waiting[key] = message

    def take(self) -> list[Message]:
        """All that waits; it then waits no more."""
        messages = list(self._waiting.values())
        self._waiting.clear()
        return messages

    def shut(self, code: int, reason: str) -> None:
        """The socket must be closed. The first reason stays, and nothing more is put."""
        if self.close is None:
            self.close = Close(code, reason)
