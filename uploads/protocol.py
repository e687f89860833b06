"""UploadProtocol: one socket's end of the wire, as a pure state machine (sans-IO).

Frames and times go in; requests for the consumer, messages for the client and at last a `Close` come out. It does no
I/O and has no clock: `now` is a monotonic time in seconds, given by the caller, and never goes back.

    protocol = UploadProtocol(Limits(...))
    protocol.welcome(user=None, processors=[...], heartbeat_seconds=20)
    for request in protocol.receive_text(text, now): ...   # or receive_data(frame, now), or tick(now)
    for message in protocol.take(): ...                    # send each as one JSON text frame
    if protocol.close: ...                                 # after sending: close the socket, code and reason

Source of every rule: docs/protocol.md, sections 1 to 6.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from uploads import messages, replies
from uploads.answers import Answers
from uploads.errors import HeadraceError, RateLimited
from uploads.flow import Limits
from uploads.intake import Intake
from uploads.orders import Orders
from uploads.requests import (
    Authenticate,
    CancelJob,
    Close,
    CreateJob,
    DeleteUpload,
    Request,
    RetryJob,
    Subscribe,
    Unsubscribe,
)

UNREAD_TEXTS = 1000
"""As many text frames may come between two calls of `take`: above it, a client asks that does not read."""

LOOK_SECONDS = 1.0
"""How often open refs are looked at for one that does not move."""


class UploadProtocol(Answers):
    """One socket. Nothing that a client sends makes a method raise.

    A consumer carries requests out in order for each ref. It commits what it has whenever no more is waiting to be
    read, whatever its batch size: a window may be smaller than the batch. It calls `tick` at `deadline` at the latest,
    and `take` after every call that may have something to say.
    """

    def __init__(self, limits: Limits, *, idle_seconds: float | None = None) -> None:
        """`idle_seconds`: a socket with no open upload, no job followed and no message for so long is closed: 4408."""
        super().__init__(limits, idle_seconds)
        self._intake = Intake(self._refs)
        self._unread = 0
        orders = Orders(self._refs)
        self._handlers: dict[type, Callable[[Any], list[Request]]] = {
            messages.Auth: lambda m: [Authenticate(m.token)],
            messages.Ping: self._ping,
            messages.Pong: self._pong,
            messages.UploadOpen: orders.open,
            messages.UploadResume: orders.resume,
            messages.UploadFinish: orders.finish,
            messages.UploadAbort: orders.abort,
            messages.UploadDelete: lambda m: [DeleteUpload(m.upload, m.token)],
            messages.JobSubscribe: self._subscribe,
            messages.JobUnsubscribe: self._unsubscribe,
            messages.JobCreate: lambda m: [CreateJob(m.upload, m.processor, m.params, m.token)],
            messages.JobCancel: lambda m: [CancelJob(m.job, m.token)],
            messages.JobRetry: lambda m: [RetryJob(m.job, m.token)],
        }

    # -- what comes from the client

    def receive_text(self, text: str, now: float) -> list[Request]:
        """One text frame, decoded. (One that is not UTF-8 is the transport's to close, with 1007.)"""
        if self._outbox.close is not None:
            return []
        self._watch.hear(now)
        self._unread += 1
        if self._unread > UNREAD_TEXTS:
            self._outbox.shut(4429, "asks without reading")
            return []
        try:
            message = messages.parse(text)
            if not isinstance(message, messages.Ping | messages.Pong):
                self._watch.act(now)
            return self._handlers[type(message)](message)
        except HeadraceError as error:
            self._outbox.put(replies.error(error, ended=False))
            return []

    def receive_data(self, frame: bytes, now: float) -> list[Request]:
        """One binary frame. The payload in the Chunk is a view of `frame`: do not reuse that buffer."""
        if self._outbox.close is not None:
            return []
        self._watch.hear(now)
        return self._intake.data(frame, now)

    def pause_reading(self, now: float) -> None:
        """The consumer reads nothing from here on: silence is no longer the client's."""
        self._watch.pause(now, True)

    def resume_reading(self, now: float) -> None:
        """The consumer reads again."""
        self._watch.pause(now, False)

    # -- what goes to the client

    def take(self) -> list[dict[str, Any]]:
        """The messages to send now, in order, each once. Only the newest ack of a ref and progress of a job is kept."""
        self._unread = 0
        return self._outbox.take()

    @property
    def close(self) -> Close | None:
        """Set, once and for ever, when the socket must be closed. Send what `take` still has first."""
        return self._outbox.close

    # -- time

    def tick(self, now: float) -> list[Request]:
        """Do what is due: waiting acks, a ping, a silent or idle peer (4408), uploads without movement (`busy`)."""
        if self._outbox.close is not None:
            return []
        ended = self._refs.tick(now)
        engaged = bool(self._refs.transfers or self._jobs.seqs)
        due = self._watch.tick(now, owed=self._refs.is_owed, engaged=engaged)
        if isinstance(due, str):
            self._outbox.shut(4408, due)
        elif due is not None:
            self._outbox.put(replies.ping(due))
        return ended

    @property
    def deadline(self) -> float | None:
        """When `tick` is wanted next, in the time of `now`; minus infinity for at once, None where nothing is due."""
        if self._outbox.close is not None:
            return None
        due = self._watch.deadline
        if self._refs.transfers:
            due = min(due, self._watch.now + LOOK_SECONDS)
        if self._refs.ack_deadline is not None:
            due = min(due, self._refs.ack_deadline)
        return None if due == math.inf else due

    # -- what is so

    @property
    def open_refs(self) -> frozenset[int]:
        """The refs that are opening, receiving, sealing or being aborted."""
        return frozenset(self._refs.transfers)

    @property
    def subscriptions(self) -> Mapping[UUID, int]:
        """The jobs this socket follows, each with the seq of the last durable event that was sent."""
        return self._jobs.seqs

    @property
    def round_trip_seconds(self) -> float | None:
        """From the last ping that was answered to its pong."""
        return self._watch.round_trip_seconds

    # -- messages about the session and jobs

    def _ping(self, message: messages.Ping) -> list[Request]:
        self._outbox.put(replies.pong(message.id))
        return []

    def _pong(self, message: messages.Pong) -> list[Request]:
        self._watch.pong(message.id)
        return []

    def _subscribe(self, message: messages.JobSubscribe) -> list[Request]:
        if message.job not in self._jobs.seqs and len(self._jobs.seqs) >= self._limits.subscriptions:
            limit = self._limits.subscriptions
            raise RateLimited("This socket follows too many jobs.", limit=limit, job=str(message.job))
        self._jobs.ask(message.job, message.after)
        return [Subscribe(message.job, message.after, message.token)]

    def _unsubscribe(self, message: messages.JobUnsubscribe) -> list[Request]:
        self._jobs.forget(message.job)
        return [Unsubscribe(message.job)]
