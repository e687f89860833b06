"""The errors of an upload. Those that processing raises too are imported from there, so this is the one place to look.

Pure: no Django, no Channels, no asyncio. Source of codes and of what ends a ref: docs/protocol.md, section 6.
"""

from typing import ClassVar

from processing.errors import (
    BadParams,
    Conflict,
    Forbidden,
    HeadraceError,
    NotFound,
    TypeRejected,
    Unauthorized,
    UnknownProcessor,
)

__all__ = [
    "BadMessage",
    "BadOffset",
    "BadParams",
    "Busy",
    "ChecksumMismatch",
    "Conflict",
    "Detached",
    "DigestMismatch",
    "Draining",
    "Expired",
    "Forbidden",
    "HeadraceError",
    "Internal",
    "NotFound",
    "Quota",
    "RateLimited",
    "SizeMismatch",
    "StorageFull",
    "TakenOver",
    "TooLarge",
    "TypeRejected",
    "Unauthorized",
    "UnknownProcessor",
]


class GoesOn(HeadraceError):
    """An error after which the ref lives on."""

    ends = False
    retryable = True


class BadOffset(GoesOn):
    """A chunk does not begin where the stored bytes end. `detail["expected"]` is the offset to go on from."""

    code = "bad_offset"
    default_message = "This chunk does not begin where the last one ended."


class ChecksumMismatch(GoesOn):
    """A chunk's CRC-32 is wrong. `detail["expected"]` is the offset to send again from."""

    code = "checksum"
    default_message = "This chunk was damaged on its way. Send it again."


class SizeMismatch(GoesOn):
    """`finish` came with bytes missing or too many. `detail["expected"]` is the offset to go on from."""

    code = "size_mismatch"
    default_message = "The bytes that arrived are not as many as the file has."


class BadMessage(GoesOn):
    """A text message that is malformed, unknown, or not legal now. It has had no effect.

    `detail["field"]` names what is wrong where it is a field; `detail["ref"]` and `detail["job"]` say what it was
    about, where that can be read.
    """

    code = "bad_message"
    retryable = False
    default_message = "This message cannot be understood."


class RateLimited(GoesOn):
    """Too much at once: more open uploads, subscriptions or requests than the limits allow."""

    code = "rate_limited"
    default_message = "Too much at once. Try again a little later."


class TooLarge(HeadraceError):
    """More bytes than the file was declared to have, or than the server takes. `detail["limit"]` in bytes."""

    code = "too_large"
    default_message = "The file is larger than declared or allowed."


class Quota(HeadraceError):
    """The owner has used up what they may store."""

    code = "quota"
    default_message = "There is no room left in your quota."


class DigestMismatch(HeadraceError):
    """The whole file's SHA-256 is not the one the client named. The upload is failed."""

    code = "digest_mismatch"
    default_message = "The file that arrived is not the file that was sent: its SHA-256 differs."


class Expired(HeadraceError):
    """The upload stood unfinished for too long, or was aborted, and is gone."""

    code = "expired"
    default_message = "This upload has expired."


class Internal(HeadraceError):
    """Something broke here. Says nothing about what, on purpose: the log does."""

    code = "internal"
    retryable = True


class Detached(HeadraceError):
    """The upload leaves this socket and stays resumable. On an open ref the client is sent `upload.detached`.

    `retry_after_seconds` as a keyword says when to come back. `code` is the `reason` on the wire.
    """

    retryable: ClassVar[bool] = True


class TakenOver(Detached):
    """A newer writer has this upload. The older one must not resume by itself."""

    code = "taken_over"
    retryable = False
    default_message = "This upload was taken over by a newer connection."


class Busy(Detached):
    """The server cannot keep up."""

    code = "busy"
    default_message = "The server is busy. The upload can be resumed a little later."


class StorageFull(Detached):
    """There is no room on the server's storage."""

    code = "storage_full"
    default_message = "The server has no room left. The upload can be resumed later."


class Draining(Detached):
    """The server is about to restart."""

    code = "draining"
    default_message = "The server is about to restart. The upload can be resumed in a moment."
