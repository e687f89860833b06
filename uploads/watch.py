"""The time of one socket: pings, a peer that is silent, a socket on which nothing happens.

Times are the caller's monotonic seconds. Source: docs/protocol.md, section 1.
"""

import math

MISSED_HEARTBEATS = 2


class Watch:
    """Knows the newest time that was given in. The first one is where all waiting begins."""

    def __init__(self, idle_seconds: float | None) -> None:
        self.round_trip_seconds: float | None = None
        self._idle_seconds = math.inf if idle_seconds is None else idle_seconds
        self._heartbeat_seconds = math.inf
        self._now: float | None = None
        self._heard_at = self._acted_at = self._pinged_at = 0.0
        self._paused = False
        self._ping_id = 0
        self._answered_id = 0

    @property
    def now(self) -> float:
        """The newest time."""
        return 0.0 if self._now is None else self._now

    def see(self, now: float) -> None:
        """It is `now`."""
        if self._now is None:
            self._heard_at = self._acted_at = self._pinged_at = now
        self._now = now

    def hear(self, now: float) -> None:
        """Something came from the peer, or its silence is not its own."""
        self.see(now)
        self._heard_at = now

    def act(self, now: float) -> None:
        """Something happened that is more than a ping."""
        self._acted_at = now

    def pause(self, now: float, paused: bool) -> None:
        """Whether the socket is being read from here on."""
        self._paused = paused
        self.hear(now)

    def start(self, heartbeat_seconds: float) -> None:
        """Ping so often. Starting again changes the interval."""
        self._heartbeat_seconds = heartbeat_seconds

    def pong(self, ping_id: object) -> None:
        """The peer answers a ping. Only the newest is timed, and once."""
        if ping_id == self._ping_id != self._answered_id:
            self._answered_id = self._ping_id
            self.round_trip_seconds = self.now - self._pinged_at

    def tick(self, now: float, *, owed: bool, engaged: bool) -> int | str | None:
        """What is due: "no answer" or "idle" to close for, or the id of a ping to send.

        `owed`: the peer waits for the server, so its silence says nothing; `engaged`: it has uploads or jobs here.
        """
        self.see(now)
        if owed or self._paused:
            self._heard_at = now
        if engaged:
            self._acted_at = now
        if now >= self._heard_at + MISSED_HEARTBEATS * self._heartbeat_seconds:
            return "no answer"
        if now >= self._acted_at + self._idle_seconds:
            return "idle"
        if now < self._pinged_at + self._heartbeat_seconds:
            return None
        self._pinged_at = now
        self._ping_id += 1
        return self._ping_id

    @property
    def deadline(self) -> float:
        """When `tick` is wanted: minus infinity where no time is known yet, infinity where nothing is due."""
        if self._now is None:
            return -math.inf
        silent_at = self._heard_at + MISSED_HEARTBEATS * self._heartbeat_seconds
        return min(self._pinged_at + self._heartbeat_seconds, silent_at, self._acted_at + self._idle_seconds)
