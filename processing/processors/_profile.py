"""SQL that finds a column's type and describes it. The table is `raw`, its columns are c0, c1, ... ."""

# ruff: noqa: S608 - every name that stands in the SQL is ours; the file's own are quoted in _duck.py

import datetime
import math
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

from processing.api import Step
from processing.processors._duck import Connection, watched

BUCKETS = 10
EXACT_ROWS = 5_000_000
"""Above so many rows, distinct values are estimated (HyperLogLog) and the sentence in the log says so."""

_SAMPLE = 2_000
TEXT = 200

_OFFSET = r"(Z|[+-]\d\d(:?\d\d)?)"
_MOMENT = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?"
# type -> (the condition on a trimmed text `v`, the expression that `v` then becomes). The first one that holds wins.
# Leading zeros mean an identifier: 00123 stays text. DuckDB alone would read 1.5 as the integer 2 and drop UTC offsets.
_READINGS: dict[str, list[tuple[str, str]]] = {
    "integer": [(r"regexp_full_match(v, '[+-]?(0|[1-9]\d{0,17})')", "CAST({v} AS BIGINT)")],
    "number": [
        (r"regexp_full_match(v, '[+-]?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?')", "CAST({v} AS DOUBLE)"),
        (r"regexp_full_match(v, '[+-]?(0|[1-9]\d{0,17})(,\d+)?')", "CAST(replace({v}, ',', '.') AS DOUBLE)"),
    ],
    "boolean": [("lower(v) IN ('true', 'false')", "CAST({v} AS BOOLEAN)")],
    "date": [
        (r"regexp_full_match(v, '\d{4}-\d\d-\d\d') AND TRY_CAST(v AS DATE) IS NOT NULL", "CAST({v} AS DATE)"),
        (
            r"regexp_full_match(v, '\d{1,2}\.\d{1,2}\.\d{4}') AND try_strptime(v, '%d.%m.%Y') IS NOT NULL",
            "CAST(strptime({v}, '%d.%m.%Y') AS DATE)",
        ),
    ],
    "timestamp": [
        (f"regexp_full_match(v, '{_MOMENT}') AND TRY_CAST(v AS TIMESTAMP) IS NOT NULL", "CAST({v} AS TIMESTAMP)"),
        (
            f"regexp_full_match(v, '{_MOMENT}{_OFFSET}') AND TRY_CAST(v AS TIMESTAMPTZ) IS NOT NULL",
            "CAST({v} AS TIMESTAMPTZ)",
        ),
    ],
    "time": [
        (r"regexp_full_match(v, '\d\d:\d\d(:\d\d(\.\d+)?)?') AND TRY_CAST(v AS TIME) IS NOT NULL", "CAST({v} AS TIME)")
    ],
}
_SIZES = (("TINY", ""), ("SMALL", ""), ("", "EGER"), ("BIG", ""), ("HUGE", ""))
_DUCK_TYPES = {
    "integer": tuple(f"{sign}{size}INT{end}" for sign in ("", "U") for size, end in _SIZES),
    "number": ("FLOAT", "DOUBLE", "DECIMAL", "REAL"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
    "time": ("TIME",),
    "text": ("VARCHAR", "ENUM", "UUID", "INTERVAL"),
    "binary": ("BLOB", "BIT"),
    "empty": ("NULL",),
}


@dataclass(frozen=True)
class Column:
    """A column: its name to show, the SQL that gives its value, and its type as people say it."""

    name: str
    value: str
    type: str

    @property
    def shown(self) -> str:
        """SQL for a value that JSON can hold, a text at most 200 characters long."""
        if self.type in ("integer", "boolean"):
            return self.value
        if self.type == "number":
            return f"CAST({self.value} AS DOUBLE)"
        return "NULL" if self.type in ("binary", "empty") else f"left(CAST({self.value} AS VARCHAR), {TEXT})"


def declared(name: str, index: int, duck_type: str) -> Column:
    """A column of a Parquet file, which says its types itself."""
    base = (
        "" if duck_type.endswith("]") else re.split(r"[^A-Z]", duck_type.strip('"'))[0]
    )  # TIMESTAMP_NS, DECIMAL(9,2); no lists
    return Column(name, f"c{index}", next((kind for kind, types in _DUCK_TYPES.items() if base in types), "nested"))


def inferred(
    connection: Connection, name: str, index: int, from_json: bool, message: str, at: float
) -> Generator[Step, None, Column]:
    """A column of text or of JSON values: the narrowest type that every value in it fits."""
    column = f"c{index}"
    kinds = list(_READINGS)
    text = column
    if from_json:
        text = f"json_extract_string({column}, '$')"
        found = yield from watched(connection, f"SELECT DISTINCT json_type({column}) FROM raw", message, at, at)
        stored = {kind for (kind,) in found} - {None, "NULL"}
        if stored & {"OBJECT", "ARRAY"}:
            return Column(name, text, "nested")
        if "VARCHAR" in stored:
            kinds = ["date", "timestamp", "time"] if stored == {"VARCHAR"} else []
    value = f"nullif(trim({text}), '')"
    readings = [(kind, condition, expression) for kind in kinds for condition, expression in _READINGS[kind]]
    checks = ", ".join(["count(v)", *(f"coalesce(bool_and({condition}), true)" for _, condition, _ in readings)])
    sql = f"SELECT {checks} FROM (SELECT {value} AS v FROM raw LIMIT {_SAMPLE}) WHERE v IS NOT NULL"
    ((_, *fits),) = yield from watched(connection, sql, message, at, at)
    for kind, condition, expression in compress(readings, fits):  # few are left: only they go over all rows
        sql = f"SELECT count(v), bool_and({condition}) FROM (SELECT {value} AS v FROM raw) WHERE v IS NOT NULL"
        ((count, fits_all),) = yield from watched(connection, sql, message, at, at)
        if not count:
            return Column(name, text, "empty")
        if fits_all:
            return Column(name, expression.format(v=value), kind)
    return Column(name, text, "text")


def described(
    connection: Connection, column: Column, rows: int, message: str, at: float
) -> Generator[Step, None, dict[str, Any]]:
    """What the result says about a column; `at` is the job's progress in percent."""
    value, kind = column.value, column.type
    counted = f"CAST({value} AS VARCHAR)" if kind == "nested" else value
    distinct = f"count(DISTINCT {counted})" if rows <= EXACT_ROWS else f"approx_count_distinct({counted})"
    finite = f"FILTER (isfinite(CAST({value} AS DOUBLE)))" if kind == "number" else ""
    ordered = kind not in ("nested", "binary", "empty")
    low, high = (replace(column, value=f"{f}({value}) {finite}").shown if ordered else "NULL" for f in ("min", "max"))
    mean = f"avg(CAST({value} AS DOUBLE)) {finite}" if kind in ("integer", "number") else "NULL"
    sql = f"SELECT count(*) - count({value}), {distinct}, {low}, {high}, {mean} FROM raw"
    ((nulls, unlike, least, most, average),) = yield from watched(connection, sql, message, at, at)
    histogram = None
    if kind in ("integer", "number", "date", "timestamp") and nulls < rows:
        histogram = yield from _histogram(connection, column, message, at)
    return {
        "name": column.name,
        "type": kind,
        "nulls": nulls,
        "distinct": min(unlike, rows - nulls),
        "min": least,
        "max": most,
        "mean": average,
        "histogram": histogram,
    }


def _histogram(
    connection: Connection, column: Column, message: str, at: float
) -> Generator[Step, None, list[dict[str, Any]] | None]:
    """At most ten buckets of equal width: `from` included, `to` only in the last. Null where nothing is finite."""
    value, kind = column.value, column.type
    number = {
        "integer": value,
        "number": f"CAST({value} AS DOUBLE)",
        "date": f"TRY_CAST(epoch({value}) / 86400 AS BIGINT)",
        "timestamp": f"epoch({value})",
    }[kind]
    finite = {"integer": "true", "number": f"isfinite({number})", "date": f"isfinite({value})"}
    where = finite.get(kind, f"isfinite(CAST({value} AS TIMESTAMP))")
    source = f"(SELECT {number} AS x FROM raw WHERE {where})"
    ((low, high),) = yield from watched(connection, f"SELECT min(x), max(x) FROM {source}", message, at, at)
    if low is None:
        return None
    edges = _whole_edges(low, high) if kind in ("integer", "date") else _real_edges(low, high)
    bucket = " + ".join(["0", *(f"CAST(x >= {_literal(edge)} AS INTEGER)" for edge in edges[1:-1])])
    sql = f"SELECT {bucket} AS b, count(*) FROM {source} WHERE x IS NOT NULL GROUP BY b"
    counts: dict[int, int] = dict((yield from watched(connection, sql, message, at, at)))
    shown = [_shown(edge, kind) for edge in edges]
    return [{"from": shown[i], "to": shown[i + 1], "count": counts.get(i, 0)} for i in range(len(edges) - 1)]


def _whole_edges(low: int, high: int) -> list[float]:
    """Exact, so that no bucket covers no value at all."""
    width = -(-(high - low + 1) // BUCKETS)
    return [*range(low, high + 1, width), low + width * -(-(high - low + 1) // width)]


def _real_edges(low: float, high: float) -> list[float]:
    """Between two numbers, whatever their size; fewer where they are too close for ten."""
    if low == high:
        return [low, low + 1 if low + 1 > low else math.nextafter(low, math.inf)]
    shares = [index / BUCKETS for index in range(BUCKETS + 1)]
    return sorted({min(max(low * (1 - share) + high * share, low), high) for share in shares})


def _literal(edge: float) -> str:
    return str(edge) if isinstance(edge, int) else f"CAST('{edge!r}' AS DOUBLE)"


def _shown(edge: float, kind: str) -> Any:
    if kind in ("integer", "number"):
        return edge
    try:
        if kind == "date":
            return (datetime.date(1970, 1, 1) + datetime.timedelta(days=edge)).isoformat()
        return str(datetime.datetime.fromtimestamp(edge, datetime.UTC)).removesuffix("+00:00")
    except (OverflowError, ValueError, OSError):  # a year beyond 9999
        return None
