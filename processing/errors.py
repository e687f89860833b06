"""The root of the error tree, and the errors that processing raises.

Each class carries what the wire and the HTTP ends need to answer with, so that no end keeps a table of its own.
Pure: no Django, no Channels, no asyncio.
"""

from typing import Any, ClassVar


class HeadraceError(Exception):
    """An error that may be told to a client.

    `code` is the word on the wire, `retryable` says whether the same request can succeed later, `ends` whether an
    upload's ref is done when it meets this error, `close_code` the WebSocket close code of a session error (None for
    all others). `message` is plain English for a person; `detail` are further JSON fields of the `error` message, such
    as `expected` or `field`. Source: docs/protocol.md, section 6.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    close_code: ClassVar[int | None] = None
    default_message: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, message: str = "", **detail: Any) -> None:
        super().__init__(message or self.default_message)
        self.message: str = message or self.default_message
        self.detail: dict[str, Any] = detail


class NotFound(HeadraceError):
    """There is no such thing, or it belongs to somebody else: the two look the same on purpose."""

    code = "not_found"
    default_message = "There is no such upload or job, or it is not yours."


class Unauthorized(HeadraceError):
    """The token or the session is not valid. Closes the session."""

    code = "unauthorized"
    close_code = 4401
    default_message = "The token is not valid."


class Forbidden(HeadraceError):
    """Known who is asking, and the answer is no. Closes the session."""

    code = "forbidden"
    close_code = 4403
    default_message = "This is not allowed."


class UnknownProcessor(HeadraceError):
    """No processor has this name."""

    code = "unknown_processor"
    default_message = "There is no processor of this name."


class BadParams(HeadraceError):
    """The processor's parameters do not fit. `detail["field"]` names the one that is wrong."""

    code = "bad_params"
    default_message = "The processor does not take these parameters."


class Conflict(HeadraceError):
    """The request contradicts what is already there, such as the same key with another file."""

    code = "conflict"
    default_message = "This contradicts what is already there."


class TypeRejected(HeadraceError):
    """The processor does not take files of this type."""

    code = "type_rejected"
    default_message = "The processor does not take files of this type."


class LostLease(HeadraceError):
    """A worker's lease on a job is gone, so its result must be thrown away. Internal: never on the wire."""

    code = "lost_lease"
    default_message = "The lease on this job is lost."
