"""What one socket has been sent of the jobs it follows, so that events reach it in order, without gap or double.

Source: docs/protocol.md, section 5.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from uploads.outbox import Outbox

TERMINAL_EVENTS = frozenset({"succeeded", "failed", "cancelled"})

Message = Mapping[str, Any]


class Subscriptions:
    """Jobs followed, each with the seq of its last durable event sent and the newest attempt seen."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.seqs: dict[UUID, int] = {}
        self._attempts: dict[UUID, int] = {}
        self._asked: dict[UUID, int] = {}
        self._quiet: set[UUID] = set()

    def ask(self, job: UUID, after: int) -> None:
        """The client wants to follow a job. Events of one that is new wait until its state is sent."""
        self._asked[job] = after
        if job not in self.seqs:
            self.seqs[job] = after
            self._quiet.add(job)

    def follow(self, job: UUID | str) -> None:
        """Follow a job from its first event on, unless it is followed already."""
        self.seqs.setdefault(_uuid(job), 0)

    def refuse(self, job: UUID | str) -> None:
        """The job cannot be followed: what was asked for is forgotten, what was followed before is not."""
        key = _uuid(job)
        self._asked.pop(key, None)
        if key in self._quiet:
            self.forget(key)

    def forget(self, job: UUID) -> None:
        """Follow a job no more."""
        self.seqs.pop(job, None)
        self._attempts.pop(job, None)
        self._asked.pop(job, None)
        self._quiet.discard(job)

    def state(self, message: Message) -> None:
        """Send a job's state. Where it was asked for, events go on from the seq that the client has."""
        self._outbox.put(dict(message))
        job = _uuid(message["job"])
        if job not in self._asked:
            return
        self.seqs[job] = self._asked.pop(job)
        self._quiet.discard(job)
        if message["state"] in TERMINAL_EVENTS and self.seqs[job] >= message["seq"]:
            self.forget(job)

    def event(self, message: Message, *, replay: bool) -> bool:
        """Send an event that is new. False: events are missing before it."""
        job = _uuid(message["job"])
        seen = self.seqs.get(job)
        if seen is None or job in self._quiet:
            return True
        if message["event"] == "progress":
            return self._progress(job, message, seen)
        seq: int = message["seq"]
        if seq <= seen:
            return True
        if seq > seen + 1 and not replay:
            return False
        self._outbox.put(dict(message))
        self.seqs[job] = seq
        self._attempts[job] = max(self._attempts.get(job, 0), message["attempt"])
        if message["event"] in TERMINAL_EVENTS:
            self.forget(job)
        return True

    def _progress(self, job: UUID, message: Message, seen: int) -> bool:
        if message["seq"] > seen:
            return False
        if message["attempt"] >= self._attempts.get(job, 0):
            self._outbox.put_newest(("progress", job), dict(message))
        return True


def _uuid(job: UUID | str) -> UUID:
    return job if isinstance(job, UUID) else UUID(job)
