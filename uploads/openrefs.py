"""The refs that are open on one socket, and what can happen to any of them: an ack, an error, an end.

Shared by uploads/intake.py, uploads/orders.py and uploads/answers.py. Source: docs/protocol.md, sections 2 to 4.
"""

from uploads import replies
from uploads.errors import Busy, HeadraceError
from uploads.flow import Limits, State, Transfer, Windows
from uploads.outbox import Outbox
from uploads.refs import Refs
from uploads.requests import Ended, Request

ACK_SECONDS = 0.1
STALL_SECONDS = 60.0


class OpenRefs:
    """A transfer for each ref that has not ended, the budget that they share, and the acks that wait."""

    def __init__(self, limits: Limits, outbox: Outbox) -> None:
        self.limits = limits
        self.outbox = outbox
        self.windows = Windows(limits)
        self.used = Refs()
        self.transfers: dict[int, Transfer] = {}
        self._ack_due: dict[int, float] = {}

    def add(self, ref: int, *, checksum: bool) -> None:
        """Begin a ref; it is opening."""
        self.transfers[ref] = Transfer(ref, checksum)

    def ack(self, transfer: Transfer, now: float) -> None:
        """Tell what is stored and how far the client may go."""
        self._ack_due.pop(transfer.ref, None)
        window = self.windows.announce(transfer, now)
        self.outbox.put_newest(("ack", transfer.ref), replies.ack(transfer.ref, transfer.committed, window))

    def ack_soon(self, transfer: Transfer, now: float) -> None:
        """Ack at once where half a window is unacked, or the client is all but stopped, or this was the last byte.

        Else within 100 ms, by `tick`.
        """
        if transfer.may_send:
            half = 2 * (transfer.committed - transfer.acked) >= transfer.edge - transfer.acked
            at_once = half or transfer.edge - transfer.received < self.limits.chunk_bytes
        else:
            at_once = transfer.committed == transfer.received
        if at_once:
            self.ack(transfer, now)
        else:
            self._ack_due.setdefault(transfer.ref, now + ACK_SECONDS)

    def fail(self, ref: int, error: HeadraceError, *, ended: bool) -> None:
        """Tell of an error, and end the ref where that is what it means."""
        if ended:
            self.end(ref)
        self.outbox.put(replies.error(error, ref=ref, ended=ended))

    def detach(self, ref: int, reason: str, retry_after_seconds: float | None = None) -> Ended:
        """The upload leaves this socket."""
        self.end(ref)
        self.outbox.put(replies.detached(ref, reason, retry_after_seconds))
        return Ended(ref, reason)

    def end(self, ref: int) -> None:
        """The ref is done; what it had of the budget is free."""
        if transfer := self.transfers.pop(ref, None):
            self._ack_due.pop(ref, None)
            self.windows.release(transfer)

    def tick(self, now: float) -> list[Request]:
        """Send the acks that are due, widen narrow windows, and detach what has not moved for a minute."""
        for ref in [ref for ref, due in self._ack_due.items() if due <= now]:
            self.ack(self.transfers[ref], now)
        self._widen(now)
        stalled = [transfer.ref for transfer in self._owed() if now >= transfer.moved_at + STALL_SECONDS]
        return [self.detach(ref, Busy.code) for ref in stalled]

    def _widen(self, now: float) -> None:
        """Give what others left to refs without room for a whole chunk: a client may wait for that."""
        for transfer in self.transfers.values():
            room = transfer.edge - transfer.received
            if transfer.may_send and room < min(self.limits.chunk_bytes, transfer.limit - transfer.received):
                self.ack_if_wider(transfer, now)

    def ack_if_wider(self, transfer: Transfer, now: float) -> None:
        """Move the edge, if there is budget for it."""
        if transfer.may_send and transfer.committed + self.windows.allowance(transfer) > transfer.edge:
            self.ack(transfer, now)

    @property
    def is_owed(self) -> bool:
        """Whether the client waits for the server on any ref, so that its silence says nothing."""
        return bool(self._owed())

    def _owed(self) -> list[Transfer]:
        return [transfer for transfer in self.transfers.values() if transfer.is_owed(self.limits.floor)]

    @property
    def ack_deadline(self) -> float | None:
        """When the oldest waiting ack is due. They wait in the order in which they became due."""
        return next(iter(self._ack_due.values()), None)

    def forget_ack(self, transfer: Transfer) -> None:
        """No ack is wanted any more."""
        self._ack_due.pop(transfer.ref, None)

    def receiving(self, upload: str) -> list[Transfer]:
        """The refs through which bytes of this upload come."""
        return [t for t in self.transfers.values() if t.upload == upload and t.state is State.RECEIVING]
