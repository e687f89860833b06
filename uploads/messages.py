"""The wire messages that a client sends, as strict, frozen models, and their parser.

Unknown fields are ignored; a wrong type, an unknown `type` and a broken limit are `BadMessage`, which names the field
and never echoes what was sent. Optional fields may be null, which means absent. Source: docs/protocol.md, sections 1,
2 and 5.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from uploads.errors import BadMessage
from uploads.jsontext import MAX_INTEGER, MAX_REF, UUID_TEXT, about, loads

TOKEN_CHARACTERS = 512
PING_CHARACTERS = 64

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def _uuid(value: object) -> UUID:
    if not isinstance(value, str) or not UUID_TEXT.fullmatch(value):
        raise ValueError("must be a UUID as a string")
    return UUID(value)


def _time(value: object) -> datetime:
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
            if parsed.tzinfo is not None:
                return parsed.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be an ISO 8601 time with its zone, such as 2026-01-31T12:00:00Z")


def _digest(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("must be 64 hexadecimal digits")
    return value.lower()


def _absent_params(value: object) -> object:
    return {} if value is None else value


Checksum = Literal["crc32"]
Ref = Annotated[int, Field(ge=0, le=MAX_REF)]
Size = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Id = Annotated[UUID, BeforeValidator(_uuid)]
Time = Annotated[datetime, BeforeValidator(_time)]
Sha256 = Annotated[str, AfterValidator(_digest)]
Token = Annotated[str, Field(min_length=1, max_length=TOKEN_CHARACTERS)]
ProcessorName = Annotated[str, Field(min_length=1, max_length=100)]
Params = Annotated[dict[str, Any], BeforeValidator(_absent_params)]
PingId = Size | Annotated[str, Field(max_length=PING_CHARACTERS)] | None


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Auth(_Message):
    type: Literal["auth"]
    token: Token


class Ping(_Message):
    type: Literal["ping"]
    id: PingId = None


class Pong(_Message):
    type: Literal["pong"]
    id: PingId = None


class UploadOpen(_Message):
    """`size` must be there, as null where it is not known yet. Byte limits of `name` and `key` are the protocol's."""

    type: Literal["upload.open"]
    ref: Ref
    name: str
    size: Size | None
    content_type: Annotated[str, Field(max_length=255)] | None = None
    modified: Time | None = None
    sha256: Sha256 | None = None
    processor: ProcessorName | None = None
    params: Params = Field(default_factory=dict)
    key: Annotated[str, Field(min_length=1)] | None = None
    checksum: Checksum | None = None


class UploadResume(_Message):
    type: Literal["upload.resume"]
    ref: Ref
    upload: Id
    token: Token | None = None
    checksum: Checksum | None = None


class UploadFinish(_Message):
    type: Literal["upload.finish"]
    ref: Ref
    size: Size | None = None
    sha256: Sha256 | None = None


class UploadAbort(_Message):
    type: Literal["upload.abort"]
    ref: Ref


class UploadDelete(_Message):
    type: Literal["upload.delete"]
    upload: Id
    token: Token | None = None


class JobSubscribe(_Message):
    type: Literal["job.subscribe"]
    job: Id
    after: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = 0
    token: Token | None = None


class JobUnsubscribe(_Message):
    type: Literal["job.unsubscribe"]
    job: Id


class JobCreate(_Message):
    type: Literal["job.create"]
    upload: Id
    processor: ProcessorName
    params: Params = Field(default_factory=dict)
    token: Token | None = None


class JobCancel(_Message):
    type: Literal["job.cancel"]
    job: Id
    token: Token | None = None


class JobRetry(_Message):
    type: Literal["job.retry"]
    job: Id
    token: Token | None = None


ClientMessage = (
    Auth
    | Ping
    | Pong
    | UploadOpen
    | UploadResume
    | UploadFinish
    | UploadAbort
    | UploadDelete
    | JobSubscribe
    | JobUnsubscribe
    | JobCreate
    | JobCancel
    | JobRetry
)

_ADAPTER: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])


def parse(text: str) -> ClientMessage:
    """One text frame of a client. Raises BadMessage; its detail has `field`, `ref` and `job` where they are known."""
    data = loads(text)
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        raise _bad_message(error, data) from None


def _bad_message(error: ValidationError, data: dict[str, Any]) -> BadMessage:
    """Say which field is wrong. Only names that the models declare are repeated, so the text stays short."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return BadMessage("`type` is missing, or not one that is known here.", field="type", **about(data))
    field = str(first["loc"][1])
    reason = first["msg"].removeprefix("Value error, ")
    return BadMessage(f"`{field}`: {reason}", field=field, **about(data))
