"""Is the peer of a WebSocket still there? Judged so that nothing counts against it which is not its own doing.

All times are seconds of one monotonic clock, given by the caller.
"""

import select
from collections.abc import Callable
from typing import Any


class Liveness:
    """One peer's signs of life. `beat`: a silent peer is pinged this often, and given two of them to answer."""

    def __init__(self, beat: float, now: float) -> None:
        self._beat = beat
        self._heard_at = self._pinged_at = now
        self._asked_at: float | None = None  # when the first ping went out that is not answered
        self._hung_up_at: float | None = None

    def hear(self, now: float) -> None:
        """Bytes came from it, or reading goes on after a pause: while nothing was read, nothing could be heard."""
        self._heard_at, self._asked_at = now, None

    def excuse(self, seconds: float) -> None:
        """The whole process stood still for so long."""
        if self._asked_at is not None:
            self._asked_at += seconds

    def ping_due(self, now: float, unsent: int) -> bool:
        """Is it time for a ping? Then it counts as sent.

        Not while `unsent` bytes are still to be taken: the ping would lie behind them, and its answer come late.
        """
        if unsent or now - max(self._heard_at, self._pinged_at) < self._beat:
            return False
        self._pinged_at = now
        self._asked_at = self._asked_at or now
        return True

    def silent(self, now: float) -> bool:
        """Has it left a ping without an answer for two beats?"""
        return self._asked_at is not None and now - self._asked_at >= 2 * self._beat

    def abandoned(self, now: float, is_hung_up: Callable[[], bool], taken_at: float, patience: float) -> bool:
        """For a connection that is not being read: has the peer hung up, and nobody taken a message for `patience`?"""
        if self._hung_up_at is None:
            self._hung_up_at = now if is_hung_up() else None
        return self._hung_up_at is not None and now - max(self._hung_up_at, taken_at) > patience


def hung_up(sock: Any) -> bool:
    """Has the peer closed or reset a socket that is not being read? Unread data before its FIN does not hide that."""
    poll = select.poll()
    poll.register(sock.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))
