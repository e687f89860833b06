"""The wire messages that the server sends, as JSON-ready dicts. Source: docs/protocol.md, sections 1, 2 and 6."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uploads.errors import HeadraceError
from uploads.flow import Limits

Message = dict[str, Any]

VERSION = 1


def welcome(
    user: str | None,
    limits: Limits,
    processors: Sequence[Mapping[str, Any]],
    heartbeat_seconds: float,
    extensions: Sequence[str],
) -> Message:
    """The greeting: who is asking, what is allowed, which processors there are."""
    return {
        "type": "welcome",
        "version": VERSION,
        "user": user,
        "extensions": list(extensions),
        "limits": asdict(limits),
        "processors": [dict(processor) for processor in processors],
        "heartbeat_seconds": heartbeat_seconds,
    }


def ping(ping_id: int) -> Message:
    """Is anybody there?"""
    return {"type": "ping", "id": ping_id}


def pong(ping_id: int | str | None) -> Message:
    """Yes. The id is the client's own."""
    return {"type": "pong", "id": ping_id}


def bye(reason: str, retry_after_seconds: float | None) -> Message:
    """The server goes away."""
    return _with_retry({"type": "bye", "reason": reason}, retry_after_seconds)


def opened(
    ref: int,
    upload: UUID | str,
    token: str | None,
    offset: int,
    window: int,
    checksum: str | None,
    expires_at: datetime,
    job: UUID | str | None,
) -> Message:
    """The upload is open for writing at `offset`."""
    return {
        "type": "upload.opened",
        "ref": ref,
        "upload": str(upload),
        "token": token,
        "offset": offset,
        "window": window,
        "checksum": checksum,
        "expires_at": expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "job": None if job is None else str(job),
    }


def ack(ref: int, offset: int, window: int) -> Message:
    """Every byte below `offset` is stored; the client may send up to `offset + window`."""
    return {"type": "upload.ack", "ref": ref, "offset": offset, "window": window}


def stored(ref: int, upload: UUID | str, size: int, sha256: str, job: UUID | str | None) -> Message:
    """The upload is complete, its job is made."""
    return {
        "type": "upload.stored",
        "ref": ref,
        "upload": str(upload),
        "size": size,
        "sha256": sha256,
        "job": None if job is None else str(job),
    }


def aborted(ref: int) -> Message:
    """The upload is deleted."""
    return {"type": "upload.aborted", "ref": ref}


def deleted(upload: UUID | str) -> Message:
    """The stored file, its jobs and artifacts are deleted."""
    return {"type": "upload.deleted", "upload": str(upload)}


def detached(ref: int, reason: str, retry_after_seconds: float | None) -> Message:
    """The upload leaves this socket and can be resumed."""
    return _with_retry({"type": "upload.detached", "ref": ref, "reason": reason}, retry_after_seconds)


def error(problem: HeadraceError, *, ref: int | None = None, job: UUID | str | None = None, ended: bool) -> Message:
    """What went wrong. The error's detail goes along, but can change none of the fields that every error has."""
    message: Message = {**problem.detail, "type": "error"}
    if ref is not None:
        message["ref"] = ref
    if job is not None:
        message["job"] = str(job)
    return message | {
        "code": problem.code,
        "message": problem.message,
        "retryable": problem.retryable,
        "ended": ended,
    }


def _with_retry(message: Message, retry_after_seconds: float | None) -> Message:
    return message if retry_after_seconds is None else message | {"retry_after_seconds": retry_after_seconds}
