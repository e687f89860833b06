"""A client and a consumer at the two ends of an UploadProtocol, for its tests. No I/O, and the time is a number."""

import json
import struct
import zlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from uploads.flow import Limits
from uploads.protocol import UploadProtocol
from uploads.requests import Request

Message = dict[str, Any]

LIMITS = Limits(
    chunk_bytes=100,
    window_bytes=1000,
    upload_bytes=5000,
    open_uploads=4,
    subscriptions=3,
    name_bytes=64,
    key_bytes=16,
)
EXPIRES = datetime(2026, 1, 31, 12, tzinfo=UTC)
UPLOAD = UUID("11111111-1111-4111-8111-111111111111")


def frame(ref: int, offset: int, payload: bytes, *, crc: bool = False, damage: bool = False) -> bytes:
    """A data frame, made here and not by the code under test."""
    checksum = struct.pack(">I", zlib.crc32(payload) ^ damage) if crc else b""
    return struct.pack(">IQ", ref, offset) + checksum + payload


class Peer:
    """Says what a client or a consumer says, at `now`."""

    def __init__(self, limits: Limits = LIMITS, *, idle_seconds: float | None = None) -> None:
        self.protocol = UploadProtocol(limits, idle_seconds=idle_seconds)
        self.now = 1000.0

    def say(self, kind: str, **fields: Any) -> list[Request]:
        """A text message of the client."""
        return self.text(json.dumps({"type": kind, **fields}))

    def text(self, text: str) -> list[Request]:
        """A text frame of the client."""
        return self.protocol.receive_text(text, self.now)

    def send(
        self, ref: int, offset: int, payload: bytes | int, *, crc: bool = False, damage: bool = False
    ) -> list[Request]:
        """A data frame of the client; a number is so many bytes."""
        data = b"x" * payload if isinstance(payload, int) else payload
        return self.raw(frame(ref, offset, data, crc=crc, damage=damage))

    def raw(self, data: bytes) -> list[Request]:
        """A binary frame of the client."""
        return self.protocol.receive_data(data, self.now)

    def open(
        self,
        ref: int = 0,
        size: int | None = 300,
        *,
        offset: int = 0,
        crc: bool = False,
        upload: UUID | None = None,
        sealed: bool = False,
    ) -> Message:
        """Open a ref and answer it. Gives the `upload.opened` message."""
        self.say("upload.open", ref=ref, name="a", size=size, checksum="crc32" if crc else None)
        self.protocol.opened(ref, upload or uuid4(), "secret", offset, size, EXPIRES, sealed=sealed)
        return self.take()[-1]

    def commit(self, ref: int, offset: int) -> None:
        """The consumer has stored all below `offset`."""
        self.protocol.committed(ref, offset, self.now)

    def take(self) -> list[Message]:
        """What the client is sent."""
        return self.protocol.take()

    def only(self) -> Message:
        """The one message that the client is sent."""
        messages = self.take()
        assert len(messages) == 1, messages
        return messages[0]

    def codes(self) -> list[str]:
        """The codes of the errors, and the types of all else, that the client is sent."""
        return [str(message.get("code", message["type"])) for message in self.take()]

    @property
    def closed(self) -> int | None:
        """The close code, once the socket must be closed."""
        return self.protocol.close.code if self.protocol.close else None
