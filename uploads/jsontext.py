"""A client's text frame as one JSON object, with every limit checked before it can cost anything.

Limits: 16 KiB of UTF-8, nested at most 8 deep, integers within 2^53-1, no NaN or Infinity, no half of a surrogate pair.
Source: docs/protocol.md, its opening section.
"""

import json
import math
import re
from typing import Any

from uploads.errors import BadMessage

MAX_TEXT_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
MAX_REF = 2**32 - 2
"""A ref is 0..2^32-2; 2^32-1 is kept free."""

UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_TOO_LONG = "A message may have at most 16 KiB."
_TOO_DEEP = "A message may be nested at most 8 deep."
_TOO_BIG = "A number is out of range: integers go to 2^53-1, and NaN and Infinity are not JSON."
_NOT_TEXT = "A string holds half of a surrogate pair."

_STRUCTURE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str) -> dict[str, Any]:
    """Parse one object. Raises BadMessage that never repeats what was sent."""
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
        raise BadMessage(_TOO_LONG)
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise BadMessage(_TOO_DEEP)
    try:
        data = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except ValueError:
        raise BadMessage("This is not JSON.") from None
    if not isinstance(data, dict):
        raise BadMessage("A message is a JSON object.")
    if not text.isascii() or _SURROGATE_ESCAPE.search(text):
        _refuse_surrogates(data)
    return data


def _depth(text: str) -> int:
    """How deep brackets are nested outside of strings: one pass, no recursion, malformed text included."""
    depth = deepest = 0
    inside = False
    for mark in _STRUCTURE.findall(text):
        if mark == '"':
            inside = not inside
        elif inside or mark[0] == "\\":
            continue
        elif mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > MAX_INTEGER:
        raise BadMessage(_TOO_BIG)
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise BadMessage(_TOO_BIG)
    return value


def _constant(_: str) -> float:
    raise BadMessage(_TOO_BIG)


def about(data: dict[str, Any]) -> dict[str, Any]:
    """The `ref` and the `job` that a message names, where they are well-formed: what an error about it is about."""
    found: dict[str, Any] = {}
    ref, job = data.get("ref"), data.get("job")
    if type(ref) is int and 0 <= ref <= MAX_REF:
        found["ref"] = ref
    if isinstance(job, str) and UUID_TEXT.fullmatch(job):
        found["job"] = job
    return found


def _refuse_surrogates(data: dict[str, Any]) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadMessage(_NOT_TEXT, **about(data)) from None
