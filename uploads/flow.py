"""Flow control: what each open ref may send, and how much one socket may have in flight.

The edge of a ref is the highest `offset + window` that was announced; it never goes back. The socket's whole budget is
`window_bytes`: one upload alone has all of it, several share it, and each always gets at least its `floor`, so that
every one can go on. Bytes that a client may still send, or that came and are not stored, are therefore never more than
`window_bytes + open_uploads * floor`. Source: docs/protocol.md, section 4.
"""

from dataclasses import dataclass
from enum import Enum

MAX_MESSAGE_BYTES = 1 << 20
LARGEST_HEADER_BYTES = 16
LEAST_FLOOR_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a socket may do, as announced in `welcome`. Bytes, and counts for open_uploads and subscriptions.

    Raises ValueError where a chunk does not fit a message of 1 MiB or two chunks do not fit the window.
    """

    chunk_bytes: int
    window_bytes: int
    upload_bytes: int
    open_uploads: int
    subscriptions: int
    name_bytes: int
    key_bytes: int

    def __post_init__(self) -> None:
        if not 1 <= self.chunk_bytes <= MAX_MESSAGE_BYTES - LARGEST_HEADER_BYTES:
            raise ValueError("chunk_bytes must be 1 to 1 MiB less the 16 bytes of a header")
        if self.window_bytes < 2 * self.chunk_bytes:
            raise ValueError("window_bytes must hold two chunks")
        if self.open_uploads < 1:
            raise ValueError("open_uploads must be at least 1")

    @property
    def floor(self) -> int:
        """The window that every ref gets, however many are open."""
        return min(self.chunk_bytes, max(self.window_bytes // self.open_uploads, LEAST_FLOOR_BYTES))


class State(Enum):
    """Where a ref is. Data is legal while RECEIVING only."""

    OPENING = "opening"
    RECEIVING = "receiving"
    SEALING = "sealing"
    ABORTING = "aborting"


class Verdict(Enum):
    """What to do with a frame."""

    ACCEPT = "accept"
    DUPLICATE = "duplicate"
    DROP = "drop"
    GAP = "gap"
    TOO_LARGE = "too large"
    PAST_EDGE = "past the edge"


class Transfer:
    """One ref. acked <= committed <= received <= edge, all offsets; `limit` is the declared or the largest size."""

    __slots__ = (
        "acked",
        "cap",
        "checksum",
        "committed",
        "dropped",
        "dropping",
        "edge",
        "limit",
        "moved_at",
        "received",
        "ref",
        "reserved",
        "sending",
        "size",
        "state",
        "upload",
    )

    def __init__(self, ref: int, checksum: bool) -> None:
        self.ref = ref
        self.checksum = checksum
        self.state = State.OPENING
        self.upload = ""
        self.size: int | None = None
        self.limit = 0
        self.acked = self.committed = self.received = self.edge = 0
        self.cap: int | None = None
        self.reserved = 0
        self.sending = False
        self.moved_at = 0.0
        self.dropping = False
        self.dropped = 0

    def begin(self, upload: str, offset: int, size: int | None, limit: int, state: State, now: float) -> None:
        """It is open: every byte below `offset` is stored."""
        self.upload = upload
        self.size = size
        self.limit = limit
        self.state = state
        self.acked = self.committed = self.received = self.edge = offset
        self.moved_at = now

    def go_back(self, expected: int) -> None:
        """The client is to go on from `expected`, and to finish again if it had. Raises ValueError if it cannot."""
        if not self.committed <= expected <= self.received:
            raise ValueError(f"cannot go back to {expected}: {self.committed} to {self.received} are here")
        self.dropping = self.dropping or expected < self.received
        self.received = expected
        if self.state is State.SEALING:
            self.state = State.RECEIVING

    def judge(self, offset: int, length: int) -> Verdict:
        """What to do with a frame of this ref. Changes nothing."""
        expected = self.received
        if offset < expected:
            return Verdict.DROP if self.dropping else Verdict.DUPLICATE
        if offset + length > self.limit:
            return Verdict.TOO_LARGE
        if offset + length > self.edge:
            return Verdict.PAST_EDGE
        if offset > expected:
            return Verdict.DROP if self.dropping else Verdict.GAP
        return Verdict.ACCEPT

    def accept(self, length: int, now: float) -> None:
        """The next `length` bytes are on their way to the store."""
        if self.received == self.committed:
            self.moved_at = now
        self.received += length
        self.dropping = False
        self.dropped = 0

    @property
    def may_send(self) -> bool:
        """Whether the client can still send bytes of it."""
        return self.state is State.RECEIVING and self.received < self.limit

    @property
    def in_flight(self) -> int:
        """Bytes that may still come, or came and are not stored: what this ref takes of the socket's budget."""
        return (min(self.edge, self.limit) if self.may_send else self.received) - self.committed

    def is_owed(self, floor: int) -> bool:
        """Whether it is the server's turn: bytes wait for the store, or the window is all but shut."""
        if self.state is not State.RECEIVING:
            return False
        return self.received > self.committed or (self.may_send and self.edge - self.received < floor)


class Windows:
    """The budget of one socket, shared among its refs. Each change costs the same however many refs are open."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._floor = limits.floor
        self._reserved = 0
        self._sending = 0

    def settle(self, transfer: Transfer) -> None:
        """Count a transfer anew, after any change of it."""
        self._count(transfer, transfer.in_flight, transfer.may_send)

    def release(self, transfer: Transfer) -> None:
        """The ref has ended: what it had is free for the others."""
        self._count(transfer, 0, False)

    def _count(self, transfer: Transfer, reserved: int, sending: bool) -> None:
        self._reserved += reserved - transfer.reserved
        self._sending += sending - transfer.sending
        transfer.reserved = reserved
        transfer.sending = sending

    def allowance(self, transfer: Transfer) -> int:
        """The window this ref may have now, in bytes above what is committed."""
        budget = self._limits.window_bytes
        free = budget - (self._reserved - transfer.reserved)
        window = max(self._floor, min(budget // max(self._sending, 1), free))
        return window if transfer.cap is None else min(window, transfer.cap)

    def announce(self, transfer: Transfer, now: float) -> int:
        """Move the edge as far as is allowed, and give the window to tell the client. The edge never goes back."""
        edge = transfer.committed + self.allowance(transfer)
        if edge > transfer.edge:
            transfer.edge = edge
            transfer.moved_at = now
            self.settle(transfer)
        transfer.acked = transfer.committed
        return transfer.edge - transfer.committed
