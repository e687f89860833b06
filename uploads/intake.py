"""Data frames of one socket: accepted, refused or dropped. The hot path. Source: docs/protocol.md, sections 3 and 4."""

import zlib

from uploads import replies
from uploads.errors import BadMessage, BadOffset, ChecksumMismatch, HeadraceError, TooLarge
from uploads.flow import State, Transfer, Verdict
from uploads.frames import CRC32, CRC32_AT, HEADER_BYTES, HEADER_WITH_CRC_BYTES, OFFSET, OFFSET_AT, REF
from uploads.openrefs import OpenRefs
from uploads.requests import Chunk, Ended, Request

DROPPED_WINDOWS = 4

STRAY = "Binary data must begin with the ref of an upload that is open: wait for upload.opened."
STRAY_COST = 4096
"""What a frame without a place counts at least (or a chunk): tiny ones must not be answered without end."""


class Intake:
    """Judges each frame by its ref, offset, length and CRC. A payload is never copied."""

    def __init__(self, refs: OpenRefs) -> None:
        self._refs = refs
        self._stray_bytes = 0
        self._told: tuple[int | None] | None = None
        self._chunk_bytes = refs.limits.chunk_bytes
        self._dropped_limit = DROPPED_WINDOWS * refs.limits.window_bytes

    def data(self, frame: bytes, now: float) -> list[Request]:
        """One frame. Gives a Chunk, an Ended, or nothing."""
        size = len(frame)
        if size < REF.size:
            return self._stray(None, size)
        ref: int = REF.unpack_from(frame)[0]
        transfer = self._refs.transfers.get(ref)
        if transfer is None or transfer.state is not State.RECEIVING:
            return self._out_of_place(ref, transfer, size)
        header = HEADER_WITH_CRC_BYTES if transfer.checksum else HEADER_BYTES
        length = size - header
        if length < 1:
            return self._shut(4400, "frame without a payload")
        if length > self._chunk_bytes:
            return self._shut(1009, "chunk too big")
        offset: int = OFFSET.unpack_from(frame, OFFSET_AT)[0]
        verdict = transfer.judge(offset, length)
        if verdict is not Verdict.ACCEPT:
            return self._refuse(transfer, verdict, size, now)
        payload = memoryview(frame)[header:]
        if transfer.checksum and zlib.crc32(payload) != CRC32.unpack_from(frame, CRC32_AT)[0]:
            return self._drop(transfer, size, ChecksumMismatch(expected=transfer.received))
        transfer.accept(length, now)
        self._stray_bytes = 0
        self._told = None
        if not transfer.may_send:
            self._refs.windows.settle(transfer)
        return [Chunk(ref, offset, payload)]

    def _out_of_place(self, ref: int, transfer: Transfer | None, size: int) -> list[Request]:
        """Data for a ref that is not receiving."""
        if transfer is not None:
            return self._stray(ref, size) if transfer.state is State.OPENING else self._drop(transfer, size)
        if not self._refs.used.was_used(ref):
            return self._stray(ref, size)
        return self._count_stray(size)

    def _stray(self, ref: int | None, size: int) -> list[Request]:
        """Data that has no place here. It is told once for each ref in a row, so that a flood makes no flood back."""
        if self._told != (ref,):
            self._told = (ref,)
            about = {} if ref is None else {"ref": ref}
            self._refs.outbox.put(replies.error(BadMessage(STRAY, **about), ended=False))
        return self._count_stray(max(size, min(STRAY_COST, self._chunk_bytes)))

    def _count_stray(self, size: int) -> list[Request]:
        self._stray_bytes += size
        if self._stray_bytes > self._dropped_limit:
            return self._shut(4429, "data that has no place")
        return []

    def _refuse(self, transfer: Transfer, verdict: Verdict, size: int, now: float) -> list[Request]:
        if verdict is Verdict.PAST_EDGE:
            return self._shut(4429, "past the window")
        if verdict is Verdict.TOO_LARGE:
            self._refs.fail(transfer.ref, TooLarge(limit=transfer.limit), ended=True)
            return [Ended(transfer.ref, TooLarge.code)]
        if verdict is Verdict.DUPLICATE:
            self._refs.ack(transfer, now)
        return self._drop(transfer, size, BadOffset(expected=transfer.received) if verdict is Verdict.GAP else None)

    def _drop(self, transfer: Transfer, size: int, error: HeadraceError | None = None) -> list[Request]:
        """Store nothing of it. After an error all is dropped silently until the expected frame comes."""
        if error is not None:
            transfer.dropping = True
            self._refs.fail(transfer.ref, error, ended=False)
        transfer.dropped += size
        if transfer.dropped > self._dropped_limit:
            return self._shut(4429, "no progress")
        return []

    def _shut(self, code: int, reason: str) -> list[Request]:
        self._refs.outbox.shut(code, reason)
        return []
