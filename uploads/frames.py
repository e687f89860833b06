"""Data frames: a header and file bytes, big-endian.

    u32 ref | u64 offset | [u32 crc32 of the payload, where the ref was opened with checksum "crc32"] | payload

Whether the CRC is there is known from the ref, so a receiver reads the ref first. Source: docs/protocol.md, section 3.
"""

import struct
import zlib

from uploads.jsontext import MAX_INTEGER, MAX_REF

HEADER_BYTES = 12
HEADER_WITH_CRC_BYTES = 16

REF = struct.Struct(">I")
OFFSET = struct.Struct(">Q")
CRC32 = struct.Struct(">I")

_HEADER = struct.Struct(">IQ")
_HEADER_WITH_CRC = struct.Struct(">IQI")

OFFSET_AT = 4
CRC32_AT = 12

Buffer = bytes | bytearray | memoryview


def pack_frame(ref: int, offset: int, payload: Buffer, crc32: bool = False) -> bytes:
    """One frame to send, the payload copied once.

    Raises ValueError for an empty payload, a ref that is not 0..2^32-2 and an offset that is not 0..2^53-1.
    """
    if not payload:
        raise ValueError("a frame carries at least one byte")
    if not (0 <= ref <= MAX_REF and 0 <= offset <= MAX_INTEGER):
        raise ValueError(f"ref {ref} or offset {offset} does not fit a frame")
    header = _HEADER_WITH_CRC.pack(ref, offset, zlib.crc32(payload)) if crc32 else _HEADER.pack(ref, offset)
    return b"".join((header, payload))
