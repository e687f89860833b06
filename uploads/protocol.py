"""UploadProtocol: one socket's end of the wire, as a pure state machine (sans-IO).

Frames and times go in; requests for the consumer, messages for the client and at last a `Close` come out. It does no I/O
and has no clock: `now` is a monotonic time in seconds, given by the caller, and never goes back.

    protocol = UploadProtocol(Limits(...))
    protocol.welcome(user=None, processors=[...], heartbeat_seconds=20)
    for request in protocol.receive_text(text, now): ...   # or receive_data(frame, now), or tick(now)
    for message in protocol.take(): ...                    # send each as one JSON text frame
    if protocol.close: ...                                 # after sending: close the socket, code and reason

Source of every rule: docs/protocol.md, sections 1 to 6.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from uploads.errors import HeadraceError
from uploads.flow import Limits
from uploads.requests import Close, Ended, Request


class UploadProtocol:
    """One socket. Nothing a client sends makes a method raise; ValueError is for a consumer that contradicts itself.

    A consumer carries requests out in order for each ref. It commits what it has whenever no more is waiting to be read,
    whatever its batch size: a window may be smaller than the batch. It calls `tick` at `deadline` at the latest.
    """

    def __init__(self, limits: Limits, *, idle_seconds: float | None = None) -> None:
        """`idle_seconds`: a socket with no open upload, no job followed and no message for so long is closed with 4408."""

    # -- what comes from the client

    def receive_text(self, text: str, now: float) -> list[Request]:
        """One text frame, decoded. (One that is not UTF-8 is the transport's to close, with 1007.)"""
        raise NotImplementedError

    def receive_data(self, frame: bytes, now: float) -> list[Request]:
        """One binary frame. The payload in the Chunk is a view of `frame`: do not reuse that buffer."""
        raise NotImplementedError

    def pause_reading(self, now: float) -> None:
        """The consumer reads nothing from here on: silence is no longer the client's."""

    def resume_reading(self, now: float) -> None:
        """The consumer reads again."""

    # -- what goes to the client

    def take(self) -> list[dict[str, Any]]:
        """The messages to send now, in order, each once. Only the newest ack of a ref and progress of a job is kept."""
        raise NotImplementedError

    @property
    def close(self) -> Close | None:
        """Set, once and for ever, when the socket must be closed. Send what `take` still has first."""
        raise NotImplementedError

    # -- time

    def tick(self, now: float) -> list[Request]:
        """Do what is due: waiting acks, pings, a silent or idle peer (close 4408), an upload without movement (`busy`)."""
        raise NotImplementedError

    @property
    def deadline(self) -> float | None:
        """When `tick` is wanted next, in the time of `now`; None where nothing is due."""
        raise NotImplementedError

    # -- what is so

    @property
    def open_refs(self) -> frozenset[int]:
        """The refs that are opening, receiving or sealing."""
        raise NotImplementedError

    @property
    def subscriptions(self) -> Mapping[UUID, int]:
        """The jobs this socket follows, each with the seq of the last durable event that was sent."""
        raise NotImplementedError

    # -- answers: the session

    def welcome(
        self,
        user: str | None,
        processors: Sequence[Mapping[str, Any]],
        heartbeat_seconds: float,
        extensions: Sequence[str] = (),
    ) -> None:
        """Greet: at the start, and again after each Authenticate that went well. Pings start here."""

    def bye(self, reason: str, retry_after_seconds: float | None = None) -> None:
        """Say goodbye before a drain or restart, and close with 1012."""

    def failed(self, ref: int | None, error: HeadraceError, job: UUID | str | None = None) -> None:
        """Tell the client of an error.

        For a ref: a `Detached` error (busy, storage_full, taken_over, draining) detaches it; any other is `error`, `ended`
        by its class. A ref that was still opening ends in any case. Where the error goes on and its detail has
        `expected`, the ref goes back to receiving at that offset, from sealing too. A ref that is done already: nothing.
        With `ref=None`, an error with a close code closes the socket.
        """

    # -- answers: uploads

    def opened(
        self,
        ref: int,
        upload: UUID | str,
        token: str | None,
        offset: int,
        size: int | None,
        expires_at: datetime,
        job: UUID | str | None = None,
        *,
        sealed: bool = False,
    ) -> list[Ended]:
        """Answer to Open and Resume. `offset`: every byte below it is stored.

        `sealed`: the upload is sealing or stored already, so nothing more is expected, and `stored` (or `failed`) must
        follow. Follows `job`, where it is given, as from `after: 0`. Returns the older refs of this socket from which
        the upload was taken over.
        """
        raise NotImplementedError

    def committed(self, ref: int, offset: int, now: float) -> None:
        """Every byte of the ref below `offset` is stored. Acks and moves the window, now or a little later."""

    def stored(self, ref: int, upload: UUID | str, size: int, sha256: str, job: UUID | str | None) -> None:
        """Answer to Finish: verified, fsynced and renamed. Ends the ref and follows `job` as from `after: 0`."""

    def aborted(self, ref: int) -> None:
        """Answer to Abort. Ends the ref."""

    def detached(self, ref: int, reason: str, retry_after_seconds: float | None = None) -> None:
        """The upload leaves this socket: taken_over, busy, storage_full or draining. Ends the ref."""

    def deleted(self, upload: UUID | str) -> None:
        """Answer to DeleteUpload."""

    def set_window(self, ref: int, window: int | None) -> None:
        """Slow the ref's client to at most `window` bytes in flight; 0 pauses it, None gives its share back.

        An edge that was announced stays: what is below it is accepted.
        """

    # -- answers: jobs

    def job_state(self, message: Mapping[str, Any]) -> None:
        """Send a whole `job.state` message."""

    def job_event(self, message: Mapping[str, Any], *, replay: bool) -> bool:
        """Send a whole `job.event` message, if the job is followed and the client has not had it.

        `replay`: read from the rows, in order, so a hole in seq is one that pruning made. Else it came live: where events
        before it are missing, nothing is sent and False comes back: read the rows after `subscriptions[job]` and replay
        them. After a terminal event the job is followed no more.
        """
        raise NotImplementedError
