"""How staff see jobs and files: names made safe, sizes, durations, states as words.

Nothing here trusts what a client sent: a name is text, never markup, and cannot hide what it is.
"""

import json
import unicodedata
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from processing.lifecycle import JobState
from processing.models import ApiToken, Job

REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidi controls: with them `gpj.exe` reads as a picture. Joiners stay: scripts and emoji need them."""

UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


class Shown(NamedTuple):
    """A state in a word, and the colour of its pill: "" (work), ok, warn, error or quiet."""

    word: str
    kind: str


JOB_STATES: dict[str, Shown] = {
    JobState.QUEUED: Shown("Waiting", "warn"),
    JobState.RUNNING: Shown("Processing", ""),
    JobState.FAILED: Shown("Failed", "error"),
    JobState.SUCCEEDED: Shown("Done", "ok"),
    JobState.CANCELLED: Shown("Cancelled", "quiet"),
}

WORKER_STATES = {"alive": Shown("Alive", "ok"), "lost": Shown("Lost", "error"), "stopped": Shown("Stopped", "quiet")}
TOKEN_STATES = {
    "valid": Shown("Valid", "ok"),
    "expired": Shown("Expired", "quiet"),
    "revoked": Shown("Revoked", "error"),
}


def visible(text: str, *, lines: bool = False) -> str:
    """The text, control characters as pictures and bidi controls by number. With `lines`, line breaks and tabs stay."""
    if lines:
        text = text.replace("\r\n", "\n")
    return "".join(c if lines and c in "\n\t" else _visible(c) for c in text)


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if character in REORDERING or unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
        return f"\u27e8U+{code:04X}\u27e9"
    return character


def name(text: str) -> str:
    """A file's name as plain text, safe to show between <bdi> and </bdi>."""
    return visible(text).strip() or "(no name)"


def named(text: str) -> SafeString:
    """A file's name as markup: escaped, in a direction of its own."""
    return format_html("<bdi>{}</bdi>", name(text))


def pill(shown: Shown) -> SafeString:
    """A state as markup."""
    return format_html('<span class="pill {}">{}</span>', shown.kind, shown.word)


def size(count: int | None) -> str:
    """Bytes for people, in steps of a thousand: 512 bytes, 18.7 MB."""
    if count is None:
        return "size not known yet"
    if count == 1:
        return "1 byte"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{_short(value) if unit else count}\u00a0{UNITS[unit]}"


def seconds(count: float) -> str:
    """A duration for people: 0.2 s, 41 s, 3 min 20 s, 5 h 2 min, 4 d 3 h."""
    if count < 0.05:
        return "less than 0.1\u00a0s"
    if count < 9.95:
        return f"{_short(count)}\u00a0s"
    whole = round(count)
    for length, unit, smaller, small_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= length:
            rest = whole % length // smaller
            return f"{whole // length}\u00a0{unit}" + (f" {rest}\u00a0{small_unit}" if rest else "")
    return f"{whole}\u00a0s"


def _short(value: float) -> str:
    """At most one decimal, none where it says nothing."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}".removesuffix(".0")


def compact(value: Any) -> str:
    """A JSON value in one line; a string as it is."""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def pretty(value: Any) -> str:
    """A JSON value as text to read; a string as it is."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return visible(text, lines=True)


def job_state(job: Job) -> Shown:
    """The job's state; a running one that was asked to stop says so."""
    if job.state == JobState.RUNNING and job.cancel_requested_at:
        return Shown("Cancelling", "quiet")
    return JOB_STATES[job.state]


def token_state(token: ApiToken) -> Shown:
    """Valid, expired or revoked."""
    if token.revoked_at:
        return TOKEN_STATES["revoked"]
    over = token.expires_at is not None and token.expires_at <= timezone.now()
    return TOKEN_STATES["expired" if over else "valid"]


def took(job: Job, now: datetime | None = None) -> str:
    """How long the newest attempt ran or runs; of a waiting job, how long it waits."""
    now = now or timezone.now()
    if job.state == JobState.QUEUED:
        return seconds((now - job.available_at).total_seconds())
    if job.started_at is None:
        return ""
    return seconds(((job.finished_at or now) - job.started_at).total_seconds())


def moment(when: datetime | None) -> SafeString:
    """A point in time as markup, in the server's time zone."""
    if when is None:
        return SafeString("")
    return format_html('<time datetime="{}">{}</time>', when.isoformat(), date_format(localtime(when), "j M Y, H:i:s"))


def owner(username: str | None, owned_by: str) -> str:
    """Whose a thing is, from the account's name (None where it is gone) and `owner` of the row."""
    kind, _, rest = owned_by.partition(":")
    if username:
        return username
    if kind == "user":
        return f"Account {rest}, deleted"
    return f"Browser {rest[:6]}" if kind == "session" else "Nobody, by token"


def progress(value: Any) -> str:
    """The newest progress in words: 56 %, checking rows."""
    if not isinstance(value, dict):
        return ""
    done, total, message = value.get("done"), value.get("total"), value.get("message")
    words = [str(message)] if message else []
    if isinstance(done, int | float):
        if isinstance(total, int | float) and total > 0:
            words.insert(0, f"{min(100, int(100 * done / total))}\u00a0%")
        elif value.get("unit"):
            words.insert(0, f"{done} {value['unit']}")
    return visible(", ".join(words))


def place(ahead: int) -> str:
    """A waiting job's place: 2nd in line."""
    number = ahead + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} in line"
