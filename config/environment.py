"""The settings that an operator sets: environment variables with the prefix HEADRACE_, typed and checked.

`manage.py settings_help` prints this table; docs/operations.md tells what the values mean in practice. A wrong value
stops the start with one line (`ConfigurationError`), never a default in its place.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent

HEADER_BYTES = 16
"""A data frame's header: u32 ref, u64 offset, u32 crc32 (docs/protocol.md, section 3)."""

STORE_BATCH_BYTES = 1 << 20
"""What the store commits at once; the window must hold it beside a chunk, twice (docs/protocol.md, section 4)."""


class ConfigurationError(Exception):
    """A setting is wrong. The message is one line that names the variable and says what is allowed."""


def _origin(value: str) -> str:
    scheme, found, rest = value.partition("://")
    if not found or scheme not in ("http", "https") or not rest or "/" in rest:
        raise ValueError(f"{value!r} is not a full origin: write scheme, host and port, like https://files.example.org")
    return value.lower()


Words = Annotated[list[str], NoDecode]
Origin = Annotated[str, AfterValidator(_origin)]


class Environment(BaseSettings):
    """One frozen object, `django.conf.settings.HEADRACE`. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    debug: bool = Field(False, description="Django's debug mode. Never where others can reach it.")
    secret_key: str = Field(
        "", description="Signs sessions. Empty: taken from VAR_DIR/secret_key if that file is there."
    )
    allowed_hosts: Words = Field(["localhost", "127.0.0.1", "[::1]"], description="Host names served, comma-separated.")
    allowed_origins: Annotated[list[Origin], NoDecode] = Field(
        [], description="Full origins whose pages may connect, comma-separated. The address itself need not be named."
    )
    https: bool = Field(
        True, description="Served over TLS: secure cookies, HSTS, redirect. `serve` on loopback sets it off."
    )
    behind_proxy: bool = Field(False, description="Trust X-Forwarded-Proto from the proxy in front.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What goes to standard error.")

    var_dir: Path = Field(
        BASE_DIR / "var", description="Everything that is written: database, uploads, artifacts, key."
    )
    database_url: str = Field("", description="postgres://user:password@host/name, or empty for SQLite in VAR_DIR.")
    redis_url: str = Field("", description="redis://host:6379/0. Empty: in-process layer; separate workers then poll.")
    channel_layer: Literal["", "pubsub", "core", "memory"] = Field(
        "", description="Which layer; empty: pubsub where REDIS_URL is set, else memory."
    )
    channel_prefix: str = Field("headrace", description="Key prefix in Redis, one for each deployment that shares it.")

    chunk_bytes: int = Field(
        (1 << 20) - HEADER_BYTES, ge=1024, le=(1 << 20) - HEADER_BYTES, description="Largest chunk."
    )
    window_bytes: int = Field(8 << 20, ge=4096, le=256 << 20, description="Bytes in flight on one socket.")
    upload_bytes: int = Field(50 << 30, ge=1, le=2**53 - 1, description="Largest file.")
    open_uploads: int = Field(100, ge=1, le=10_000, description="Unfinished uploads on one socket.")
    subscriptions: int = Field(200, ge=1, le=10_000, description="Jobs that one socket may follow.")
    name_bytes: int = Field(4096, ge=1, le=16_384, description="Longest file name, as UTF-8.")
    key_bytes: int = Field(200, ge=1, le=1024, description="Longest idempotency key.")
    heartbeat_seconds: float = Field(20, gt=0, description="Between two pings of a socket; two missed: gone.")
    idle_seconds: float = Field(3600, gt=0, description="A socket on which nothing happens is closed with 4408.")
    upload_expires_seconds: int = Field(7 * 86_400, ge=60, description="An unfinished upload is kept this long.")
    anonymous_sessions: bool = Field(
        False, description="A browser that is not logged in owns what it uploads. `serve` sets it on."
    )
    file_threads: int = Field(4, ge=1, le=64, description="Threads that write and hash.")
    database_threads: int = Field(4, ge=1, le=64, description="Threads that talk to the database.")

    processors: Words = Field([], description="Python modules with @processor functions, beside the shipped ones.")
    default_processor: str = Field(
        "inspect", description="For an upload that names none. Empty: such uploads make no job."
    )
    concurrency: int = Field(2, ge=1, le=256, description="Jobs at once in one worker.")
    lease_seconds: float = Field(30, ge=1, description="A running job whose worker is silent this long is redone.")
    worker_heartbeat_seconds: float = Field(5, gt=0, description="Between two renewals of a lease.")
    poll_seconds: float = Field(2, gt=0, description="A worker looks for jobs this often, rung or not.")
    drain_seconds: float = Field(25, ge=0, description="At SIGTERM running jobs may take this long to finish.")
    cancel_grace_seconds: float = Field(5, ge=0, description="From a cancel request until a job's process is killed.")
    events_kept: int = Field(2000, ge=10, description="Partials and logs kept of one job; the oldest go first.")

    @field_validator("allowed_hosts", "allowed_origins", "processors", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        least = 2 * (self.chunk_bytes + STORE_BATCH_BYTES)
        if self.window_bytes < least:
            raise ValueError(
                f"window_bytes must be at least {least} (twice chunk_bytes and what the store commits at once)"
            )
        if self.lease_seconds < 3 * self.worker_heartbeat_seconds:
            raise ValueError("lease_seconds must be at least three times worker_heartbeat_seconds")
        if self.channel_layer in ("pubsub", "core") and not self.redis_url:
            raise ValueError("channel_layer needs redis_url")
        return self

    @property
    def layer(self) -> str:
        """The channel layer in force: pubsub, core or memory."""
        return self.channel_layer or ("pubsub" if self.redis_url else "memory")

    @property
    def message_bytes(self) -> int:
        """The largest WebSocket message a server must accept."""
        return self.chunk_bytes + HEADER_BYTES


def load() -> Environment:
    """Read the environment.

    Raises ConfigurationError naming the first wrong variable.
    """
    try:
        return Environment()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "_".join(str(part) for part in first["loc"][:1]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"HEADRACE_{where}: {reason}" if where else f"HEADRACE settings: {reason}") from None
