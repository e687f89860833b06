"""Results as strict JSON values: what a processor yields and returns, fit for a database row and the wire. Pure."""

import dataclasses
import datetime
import enum
import math
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from pydantic import BaseModel

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

_DEPTH = 100
_EXACT = 2**53


def to_json(value: Any, path: str = "result") -> JsonValue:
    """A strict JSON value: NaN and infinities become null, tuples lists, a Decimal a number, a time its ISO form.

    Dataclasses, pydantic models, enums, UUIDs and timedeltas (seconds) are taken too. Characters that JSON or Postgres
    cannot hold (lone surrogates, NUL) become U+FFFD. Raises TypeError naming the place, such as `result.rows[3].image`,
    for anything else.
    """
    return _convert(value, path, 0)


def _convert(value: Any, path: str, depth: int) -> JsonValue:
    if depth > _DEPTH:
        raise TypeError(f"{path[:200]} is nested more than {_DEPTH} deep")
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool | str | int | float | Decimal):
        return _scalar(value, path)
    if isinstance(value, list | tuple):
        return [_convert(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, path): _convert(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, BaseModel):
        return _convert({name: getattr(value, name) for name in type(value).model_fields}, path, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return _convert({name: getattr(value, name) for name in names}, path, depth)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{path} is a {type(value).__name__}, which JSON cannot hold")


def _scalar(value: bool | str | int | float | Decimal | None, path: str) -> JsonValue:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        whole = abs(value) <= _EXACT and value == value.to_integral_value()
        value = int(value) if whole else float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 1024:
            raise TypeError(f"{path} is a whole number of {value.bit_length()} bits, more than JSON readers can take")
        return int(value)
    return value


def _key(key: Any, path: str) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, int | float | str):
        return _text(str(key))
    raise TypeError(f"{path} has the key {key!r:.100}, a {type(key).__name__}; keys are text")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate; a pair of them is joined
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(value).replace("\x00", "\ufffd")
