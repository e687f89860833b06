"""The half of UploadProtocol that its consumer answers to: what became of the requests, and news of jobs.

Source of every rule: docs/protocol.md, sections 1, 2, 5 and 6.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from uploads import replies
from uploads.errors import Detached, HeadraceError, Internal, NotFound, TakenOver
from uploads.flow import Limits, State
from uploads.openrefs import OpenRefs
from uploads.outbox import Outbox
from uploads.requests import Ended
from uploads.subscriptions import Subscriptions
from uploads.watch import Watch

Id = UUID | str


class Answers:
    """An answer for a ref that has ended does nothing: it crossed the end on its way.

    ValueError is for a consumer that contradicts itself.
    """

    def __init__(self, limits: Limits, idle_seconds: float | None) -> None:
        self._limits = limits
        self._outbox = Outbox()
        self._refs = OpenRefs(limits, self._outbox)
        self._jobs = Subscriptions(self._outbox)
        self._watch = Watch(idle_seconds)

    # -- the session

    def welcome(
        self,
        user: str | None,
        processors: Sequence[Mapping[str, Any]],
        heartbeat_seconds: float,
        extensions: Sequence[str] = (),
    ) -> None:
        """Greet: at the start, and again after each Authenticate that went well. Pings start here."""
        self._watch.start(heartbeat_seconds)
        self._outbox.put(replies.welcome(user, self._limits, processors, heartbeat_seconds, extensions))

    def bye(self, reason: str, retry_after_seconds: float | None = None) -> None:
        """Say goodbye before a drain or restart, and close with 1012."""
        self._outbox.put(replies.bye(reason, retry_after_seconds))
        self._outbox.shut(1012, "restart")

    def failed(self, ref: int | None, error: HeadraceError, job: Id | None = None) -> None:
        """Tell the client of an error.

        For a ref: a `Detached` error (busy, storage_full, taken_over, draining) detaches it; any other is `error`,
        `ended` by its class. A ref that was still opening ends in any case. Where the error goes on, the ref goes back
        from sealing to receiving, and where its detail has `expected`, to that offset. A ref that is done already:
        nothing. With `ref=None`, an error with a close code closes the socket.
        """
        if ref is not None:
            self._failed_ref(ref, error)
            return
        if job is not None and isinstance(error, NotFound | Internal):
            self._jobs.refuse(job)
        self._outbox.put(replies.error(error, job=job, ended=False))
        if error.close_code is not None:
            self._outbox.shut(error.close_code, error.code)

    def _failed_ref(self, ref: int, error: HeadraceError) -> None:
        transfer = self._refs.transfers.get(ref)
        if transfer is None:
            return
        opening = transfer.state is State.OPENING
        if isinstance(error, Detached) and not opening:
            self._refs.detach(ref, error.code, error.detail.get("retry_after_seconds"))
            return
        ended = opening or error.ends
        if not ended:
            transfer.go_back(error.detail.get("expected", transfer.received))
            self._refs.windows.settle(transfer)
        self._refs.fail(ref, error, ended=ended)

    # -- uploads

    def opened(
        self,
        ref: int,
        upload: Id,
        token: str | None,
        offset: int,
        size: int | None,
        expires_at: datetime,
        job: Id | None = None,
        *,
        sealed: bool = False,
    ) -> list[Ended]:
        """Answer to Open and Resume. `offset`: every byte below it is stored.

        `sealed`: the upload is sealing or stored already, so nothing more is expected, and `stored` (or `failed`) must
        follow. Follows `job`, where it is given, as from `after: 0`. Returns the older refs of this socket from which
        the upload was taken over. Raises ValueError for an offset that does not go with the size.
        """
        transfer = self._refs.transfers.get(ref)
        if transfer is None or transfer.state is not State.OPENING:
            return []
        if offset < 0 or (size is not None and (offset > size or (sealed and offset < size))):
            raise ValueError(f"ref {ref}: offset {offset} does not go with size {size}")
        older = [] if sealed else self._refs.receiving(str(upload))
        ended = [self._refs.detach(other.ref, TakenOver.code) for other in older]
        limit = self._limits.upload_bytes if size is None else size
        state = State.SEALING if sealed else State.RECEIVING
        transfer.begin(str(upload), offset, size, limit, state, self._watch.now)
        self._refs.windows.settle(transfer)
        window = 0 if sealed else self._refs.windows.announce(transfer, self._watch.now)
        checksum = "crc32" if transfer.checksum else None
        self._outbox.put(replies.opened(ref, upload, token, offset, window, checksum, expires_at, job))
        if job is not None:
            self._jobs.follow(job)
        return ended

    def committed(self, ref: int, offset: int, now: float) -> None:
        """Every byte of the ref below `offset` is stored. Acks and moves the window, now or a little later.

        Raises ValueError for more than was received.
        """
        self._watch.see(now)
        transfer = self._refs.transfers.get(ref)
        if transfer is None or offset <= transfer.committed:
            return
        if offset > transfer.received:
            raise ValueError(f"ref {ref}: {offset} is committed, but only {transfer.received} were received")
        transfer.committed = offset
        transfer.moved_at = now
        self._refs.windows.settle(transfer)
        if transfer.state is not State.ABORTING:
            self._refs.ack_soon(transfer, now)

    def stored(self, ref: int, upload: Id, size: int, sha256: str, job: Id | None) -> None:
        """Answer to Finish: verified, fsynced and renamed. Ends the ref and follows `job` as from `after: 0`."""
        if ref not in self._refs.transfers:
            return
        self._refs.end(ref)
        self._outbox.put(replies.stored(ref, upload, size, sha256, job))
        if job is not None:
            self._jobs.follow(job)

    def aborted(self, ref: int) -> None:
        """Answer to Abort. Ends the ref."""
        if ref in self._refs.transfers:
            self._refs.end(ref)
            self._outbox.put(replies.aborted(ref))

    def detached(self, ref: int, reason: str, retry_after_seconds: float | None = None) -> None:
        """The upload leaves this socket: taken_over, busy, storage_full or draining. Ends the ref."""
        if ref in self._refs.transfers:
            self._refs.detach(ref, reason, retry_after_seconds)

    def deleted(self, upload: Id) -> None:
        """Answer to DeleteUpload."""
        self._outbox.put(replies.deleted(upload))

    def set_window(self, ref: int, window: int | None) -> None:
        """Slow the ref's client to at most `window` bytes in flight; 0 pauses it, None gives its share back.

        An edge that was announced stays: what is below it is accepted.
        """
        transfer = self._refs.transfers.get(ref)
        if transfer is not None:
            transfer.cap = window
            self._refs.ack_if_wider(transfer, self._watch.now)

    # -- jobs

    def job_state(self, message: Mapping[str, Any]) -> None:
        """Send a whole `job.state` message."""
        self._jobs.state(message)

    def job_event(self, message: Mapping[str, Any], *, replay: bool) -> bool:
        """Send a whole `job.event` message, if the job is followed and the client has not had it.

        `replay`: read from the rows, in order, so a hole in seq is one that pruning made. Else it came live: where
        events before it are missing, nothing is sent and False comes back: read the rows after `subscriptions[job]`
        and replay them. After a terminal event the job is followed no more.
        """
        return self._jobs.event(message, replay=replay)
