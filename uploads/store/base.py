"""The UploadStore port: what a place for bytes must promise. Sync, for a file thread.

- The size of what is stored is the truth about an upload's offset.
- Every writer has an epoch. The check of the epoch and the write happen under one lock per upload, so once a newer
writer has taken over, an older one cannot write a byte.
- A blob becomes readable under its name by `publish` alone, which is durable (fsync, rename, fsync of the folder) and
may be repeated.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID


class StaleEpoch(Exception):
    """A newer writer has taken this upload, or it was deleted."""


class StoreFull(Exception):
    """There is no room; nothing of this batch is stored."""


class Missing(Exception):
    """Nothing is stored for this upload."""


class Writer(Protocol):
    """One writer's hold on one upload. Not for two threads at once."""

    @property
    def offset(self) -> int:
        """Bytes stored: where the next append goes."""

    def append(self, chunks: Sequence[memoryview | bytes]) -> int:
        """Store all of `chunks` at the offset and return the new offset. Raises StaleEpoch, StoreFull."""

    def digest(self) -> str:
        """SHA-256 of all that is stored, in hex. Cheap where this writer wrote it all."""

    def close(self) -> None:
        """Let go. What is stored stays."""


class UploadStore(Protocol):
    """All of the store."""

    def open(self, upload_id: UUID, epoch: int, *, new: bool = False) -> Writer:
        """Take the upload for this epoch. Raises StaleEpoch where a newer one has it, Missing where nothing is and it
        is not `new`.
        """

    def size(self, upload_id: UUID) -> int:
        """Bytes stored, published or not. Raises Missing."""

    def digest(self, upload_id: UUID) -> str:
        """SHA-256 read back from the store, published or not. Raises Missing."""

    def publish(self, upload_id: UUID) -> str:
        """Make the blob durable and readable; its name in the Django storage. Raises Missing."""

    def name(self, upload_id: UUID) -> str:
        """The blob's name in the Django storage once it is published."""

    def delete(self, upload_id: UUID) -> None:
        """Remove whatever is stored; a writer that still holds it gets StaleEpoch. Nothing there is fine."""
