"""Which refs a socket has used: they grow strictly and are never used twice."""

from collections import deque

MAX_GAPS = 64


class Refs:
    """Remembers the refs that were passed over, not those that were used: a well-behaved client passes over none.

    So memory stays bounded however many files one socket sends. Of a client that leaves more than 64 holes the oldest
    are forgotten; data for such a ref is then dropped, as for one that has ended, and not a reason to close.
    """

    def __init__(self) -> None:
        self._highest = -1
        self._gaps: deque[tuple[int, int]] = deque(maxlen=MAX_GAPS)

    def is_new(self, ref: int) -> bool:
        """Whether the ref may still be opened."""
        return ref > self._highest

    def use(self, ref: int) -> None:
        """Mark a new ref as used."""
        if ref > self._highest + 1:
            self._gaps.append((self._highest + 1, ref - 1))
        self._highest = ref

    def was_used(self, ref: int) -> bool:
        """Whether the ref was opened on this socket."""
        return ref <= self._highest and not any(first <= ref <= last for first, last in self._gaps)
