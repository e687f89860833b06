"""What UploadProtocol asks its consumer to carry out, and why it wants the socket closed.

Pure data. A consumer carries requests out in the order they came, one after another for each ref, and answers through
the methods of UploadProtocol.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uploads.messages import Checksum, UploadOpen


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check an API token. Answer `welcome` again, or `failed(None, Unauthorized())`, which closes with 4401.

    May renew the same user; may not change the user while `protocol.open_refs` is not empty.
    """

    token: str


@dataclass(frozen=True, slots=True)
class Open:
    """Make an upload, or find the one of the same key. Answer `opened` or `failed`."""

    ref: int
    message: UploadOpen


@dataclass(frozen=True, slots=True)
class Resume:
    """Take the upload's writer epoch. Answer `opened` or `failed`."""

    ref: int
    upload: UUID
    token: str | None
    checksum: Checksum | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Append `payload` at `offset`. The protocol has checked order, size and CRC. Answer `committed` once it is stored.

    `payload` is a view of the frame that was given in: no byte was copied.
    """

    ref: int
    offset: int
    payload: memoryview


@dataclass(frozen=True, slots=True)
class Finish:
    """All `size` bytes were asked to be stored: flush what waits, then seal. Answer `stored` or `failed`.

    `sha256` is what this message named, in lower case; the one of `upload.open` is in the upload's row.
    """

    ref: int
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Abort:
    """Delete the unfinished upload. Answer `aborted`. What is not stored yet may be thrown away."""

    ref: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The protocol ended this ref by itself and has told the client. Let go of the upload; answer nothing.

    `code` says why: `too_large` (fail the upload, keep no bytes of it), `busy` and `taken_over` (it stays resumable).
    """

    ref: int
    code: str


@dataclass(frozen=True, slots=True)
class DeleteUpload:
    """Delete a stored file with its jobs and artifacts. Answer `deleted` or `failed(None, error)`."""

    upload: UUID
    token: str | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Join the job's group, then answer `job_state`, then every durable event after `after`, then live ones."""

    job: UUID
    after: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Leave the job's group. There is no answer."""

    job: UUID


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Run another processor on a stored upload. Answer `job_state` or `failed(None, error)`."""

    upload: UUID
    processor: str
    params: dict[str, Any]
    token: str | None


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Ask for a job to be cancelled. Its event `cancelled` is the answer; else `failed(None, error, job=job)`."""

    job: UUID
    token: str | None


@dataclass(frozen=True, slots=True)
class RetryJob:
    """Make a new job of the same input and parameters. Answer `job_state` of the new one or `failed`."""

    job: UUID
    token: str | None


Request = (
    Authenticate
    | Open
    | Resume
    | Chunk
    | Finish
    | Abort
    | Ended
    | DeleteUpload
    | Subscribe
    | Unsubscribe
    | CreateJob
    | CancelJob
    | RetryJob
)


@dataclass(frozen=True, slots=True)
class Close:
    """The socket must be closed with this WebSocket code. `reason` is short ASCII text for the close frame."""

    code: int
    reason: str
