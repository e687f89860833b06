"""Limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a socket may do. Bytes, and counts for open_uploads and subscriptions. Announced in `welcome`."""

    chunk_bytes: int
    window_bytes: int
    upload_bytes: int
    open_uploads: int
    subscriptions: int
    name_bytes: int
    key_bytes: int
