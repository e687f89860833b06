"""The processor `table-profile`."""

# ruff: noqa: S608 - every name that stands in the SQL is ours; the file's own are quoted in _duck.py

import json
import re
from collections.abc import Generator, Sequence
from pathlib import Path, PurePath
from typing import Any

from processing.api import File, Log, Partial, ProcessorError, Progress, Step, Steps, processor, to_json
from processing.processors import _duck
from processing.processors._duck import Connection, identifier, text, watched
from processing.processors._profile import EXACT_ROWS, TEXT, Column, declared, described, inferred
from processing.processors._tables import (
    COLUMNS,
    WIDEST,
    Dialect,
    Kind,
    as_utf8,
    bad_json_line,
    dialect_of,
    kind_of,
    unique_names,
)

_SAMPLE_ROWS = 10
_SAMPLE_BYTES = 40_000
_TYPES = (
    "text/*",
    "application/csv",
    "application/json",
    "application/jsonl",
    "application/x-ndjson",
    "application/x-jsonlines",
    "application/vnd.apache.parquet",
    "application/x-parquet",
    "application/vnd.ms-excel",  # what browsers on Windows call a CSV
    "application/octet-stream",
)


@processor("table-profile", accepts=_TYPES, requires={"duckdb": "headrace[tables]"})
def table_profile(file: File, *, parquet: bool = True) -> Steps:
    """Profile a table: CSV, TSV, JSON lines or Parquet. Per column its type, missing and distinct values, and spread.

    Args:
        parquet: Make a Parquet copy to download.
    """
    kind = kind_of(file)
    path = file.path if kind == "parquet" else (yield from as_utf8(file))
    connection = _duck.connect(path, file.scratch)
    from duckdb import Error, OutOfMemoryException

    loaded = False
    try:
        names, types = yield from _load(connection, kind, path, file.name)
        loaded = kind != "parquet"  # whose rows are read again and again
        result, columns = yield from _profiled(connection, kind, names, types)
        if parquet and kind != "parquet":
            yield from _copied(connection, file, len(names), columns)
        return result
    except OutOfMemoryException:
        raise ProcessorError(f"The table needs more memory than a job may use ({_duck.MEMORY}).") from None
    except Error as error:
        if loaded:
            raise
        raise ProcessorError(_explained(kind, path, str(error))) from error
    finally:
        connection.close()


def _load(
    connection: Connection, kind: Kind, path: str, name: str
) -> Generator[Step, None, tuple[list[str], list[str]]]:
    """Make the table or view `raw` with the columns c0, c1, ...; the columns' names, and types where they have any."""
    types: list[str] = []
    if kind == "csv":
        dialect = dialect_of(path, name)
        names = dialect.names
        _check_width(names)
        yield Partial({"rows": None, "columns": None, "sample": _fitting(names, dialect.rows[:_SAMPLE_ROWS])})
        source = _csv_source(path, dialect)
    else:
        call = f"read_parquet({text(path)})" if kind == "parquet" else _json_call(path, kind)
        found = yield from watched(connection, f"DESCRIBE SELECT * FROM {call}", "Reading rows", 10, 20)
        names, types = unique_names([row[0] for row in found]), [row[1] for row in found]
        _check_width(names)
        source = f"{call} AS t({', '.join(f'c{index}' for index in range(len(names)))})"
    yield Progress(10, 100, "%", "Reading rows")
    chosen = ", ".join(f"c{index}" for index in range(min(len(names), COLUMNS)))
    made = "VIEW" if kind == "parquet" else "TABLE"
    yield from watched(connection, f"CREATE {made} raw AS SELECT {chosen} FROM {source}", "Reading rows", 10, 50)
    return names, types


def _check_width(names: list[str]) -> None:
    if not names:
        raise ProcessorError("The file holds no column: there is no table in it.")
    if len(names) > WIDEST:
        raise ProcessorError(f"The table has {len(names):,} columns; at most {WIDEST:,} can be read.")


def _csv_source(path: str, dialect: Dialect) -> str:
    """Every column as text: what type it is shows when all of it is read. A row of another width is an error."""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(dialect.names)))
    return (
        f"read_csv({text(path)}, auto_detect = false, header = {dialect.header}, delim = {text(dialect.delimiter)}, "
        f"skip = {dialect.skip}, quote = '\"', escape = '\"', columns = {{{columns}}})"
    )


def _json_call(path: str, kind: Kind) -> str:
    """Every column as JSON, from all rows, so that no later row can contradict the first ones."""
    layout = "newline_delimited" if kind == "json-lines" else "auto"
    options = "records = 'true', maximum_depth = 1, sample_size = -1, map_inference_threshold = -1"
    return f"read_json({text(path)}, format = '{layout}', {options})"


def _profiled(
    connection: Connection, kind: Kind, names: list[str], types: list[str]
) -> Generator[Step, None, tuple[dict[str, Any], list[Column]]]:
    """The result, and the columns as they were read."""
    as_json = kind in ("json", "json-lines")
    ((rows,),) = yield from watched(connection, "SELECT count(*) FROM raw", "Counting rows", 50, 50)
    used = names[:COLUMNS]
    first = [
        Column(name, f"json_extract_string(c{i}, '$')" if as_json else f"c{i}", "text") for i, name in enumerate(used)
    ]
    yield Partial({"rows": rows, "columns": None, "sample": (yield from _sample(connection, first))})
    if len(names) > COLUMNS:
        yield Log(f"The table has {len(names):,} columns; the first {COLUMNS:,} are profiled.", "warning")
    if rows > EXACT_ROWS:
        yield Log(f"More than {EXACT_ROWS:,} rows: distinct values are estimated.")
    read: list[Column] = []
    columns: list[dict[str, Any]] = []
    for index, name in enumerate(used):
        at = round(50 + 40 * index / len(used), 1)
        message = f"Profiling column {index + 1} of {len(used)}"
        yield Progress(at, 100, "%", message)
        if kind == "parquet":
            read.append(declared(name, index, types[index]))
        else:
            read.append((yield from inferred(connection, name, index, as_json, message, at)))
        columns.append((yield from described(connection, read[-1], rows, message, at)))
    sample = yield from _sample(connection, read)
    return {"rows": rows, "columns_total": len(names), "columns": columns, "sample": sample}, read


def _sample(connection: Connection, columns: list[Column]) -> Generator[Step, None, list[dict[str, Any]]]:
    chosen = ", ".join(column.shown for column in columns)
    rows = yield from watched(connection, f"SELECT {chosen} FROM raw LIMIT {_SAMPLE_ROWS}", "Reading rows", 50, 50)
    return _fitting([column.name for column in columns], rows)


def _fitting(names: list[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows by name, as many as fit into a message; of one that alone does not fit, its first columns."""
    found: list[dict[str, Any]] = []
    left = _SAMPLE_BYTES
    for row in rows:
        shown: dict[str, Any] = {}
        for name, value in zip(names, row, strict=False):
            cut = value[:TEXT] if isinstance(value, str) else value
            left -= len(json.dumps(to_json({name: cut})))
            if left < 0:
                return found or [shown]
            shown[name] = cut
        found.append(shown)
    return found


def _copied(connection: Connection, file: File, total: int, columns: list[Column]) -> Steps:
    """The Parquet copy. DuckDB may write in the scratch folder only: from there the file moves to its place."""
    if total > COLUMNS:
        yield Log(f"No Parquet copy is made of more than {COLUMNS:,} columns.", "warning")
        return
    chosen = ", ".join(f"{column.value} AS {identifier(column.name)}" for column in columns)
    yield Progress(90, 100, "%", "Writing Parquet")
    place = Path(file.scratch, "table.parquet")
    with file.artifact(f"{PurePath(file.name).stem}.parquet", "application/vnd.apache.parquet") as artifact:
        sql = f"COPY (SELECT {chosen} FROM raw) TO {text(str(place))} (FORMAT parquet, COMPRESSION zstd)"
        yield from watched(connection, sql, "Writing Parquet", 90, 100)
        place.replace(artifact.name)


def _explained(kind: Kind, path: str, error: str) -> str:
    """DuckDB's error about a file in plain words, without its advice and our paths."""
    row = re.search(r"Line: (\d+)|in line (\d+)", error)
    where = f"Row {row[1] or row[2]}" if row else "A row"
    if kind == "parquet":
        return "This Parquet file is damaged, encrypted or of a kind that cannot be read."
    if width := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", error):
        return f"{where} has {width[2]} column{'s' if width[2] != '1' else ''}, expected {width[1]}."
    if "unterminated quote" in error:
        return f"{where} has a quotation mark that is never closed, or text after a closed one."
    if "Maximum line size" in error or "maximum_object_size" in error:
        return f"{where} is too long to be a row of a table."
    if kind == "csv":
        return f"{where} cannot be read as CSV."
    if duplicate := re.search(r"has duplicate key (\".{1,100}?\")", error):
        return f"{where} has the key {duplicate[1]} twice."
    if kind == "json-lines":
        return bad_json_line(path)  # DuckDB's own line numbers are off by one here
    return 'This JSON is no table: it must be a list of objects with named values, such as [{"name": "Ada"}].'
