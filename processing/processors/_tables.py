"""What a table's file is: its kind, its dialect, its columns' names. No database here."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from processing.api import File, Log, ProcessorError, Progress, Step
from processing.processors._text import Decoder, encoding_of, sample_of

Kind: TypeAlias = Literal["csv", "json-lines", "json", "parquet"]

COLUMNS = 300
"""So many columns are profiled."""

WIDEST = 20_000
"""A table with more columns is refused."""

_HEAD = 1 << 20
"""Characters from the start in which the first rows must lie."""

_SNIFFED_ROWS = 200
_NUMBER = re.compile(
    r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?|true|false", re.IGNORECASE
)
_YEAR = re.compile(r"1[5-9]\d\d|2[01]\d\d")


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written, after `skip` blank lines: a name for each column, and the first rows below the header."""

    delimiter: str
    header: bool
    names: list[str]
    rows: list[list[str]]
    skip: int


def kind_of(file: File) -> Kind:
    """What kind of table it is, by its content first. Raises ProcessorError for what is none."""
    sample = sample_of(file)
    if not sample:
        raise ProcessorError("The file is empty: there is no table in it.")
    if sample.startswith(b"PAR1"):
        return "parquet"
    if sample.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ProcessorError(
            "This looks like a workbook or an archive, not a table. Save the sheet as CSV and try again."
        )
    encoding = encoding_of(sample)
    if encoding is None:
        raise ProcessorError("This is no table: the file holds binary data.")
    start = sample.decode("utf-8" if encoding == "ascii" else encoding, "ignore").lstrip("\ufeff \t\r\n")
    if not start:
        raise ProcessorError("The file holds nothing but white space: there is no table in it.")
    return _json_kind(start, PurePath(file.name).suffix.lower()) if start[0] in "{[" else "csv"


def _json_kind(start: str, suffix: str) -> Kind:
    first, _, rest = start.partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        if suffix in (".jsonl", ".ndjson"):
            return "json-lines"
        return "json" if suffix == ".json" or re.match(r'[{\[]\s*["{\[\]}]', start) else "csv"
    return "json" if isinstance(value, list) and not rest.strip() else "json-lines"


def as_utf8(file: File) -> Generator[Step, None, str]:
    """The path of the text as plain UTF-8 with LF line ends: the file's own, or a copy in the scratch folder.

    Programs write CSV in old encodings, with byte order marks, and with line ends of two kinds in one file; a reader
    that is fast takes none of it.
    """
    if (yield from _is_plain(file)):
        return file.path
    decoder = Decoder(sample_of(file))
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    copy = Path(file.scratch, "table.txt")
    with copy.open("w", encoding="utf-8", errors="replace", newline="") as out:
        for block in file.blocks():
            out.write(newlines.decode(decoder.decode(block)))
            yield _share(file, 5, 10)
        out.write(newlines.decode(decoder.decode(b"", final=True), final=True))
    if decoder.damaged:
        yield Log(f"Some characters are not valid {decoder.encoding}; they are shown as \ufffd.", "warning")
    return str(copy)


def _is_plain(file: File) -> Generator[Step, None, bool]:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    for block in file.blocks():
        if b"\r" in block or b"\x00" in block or (file.position == len(block) and block.startswith(codecs.BOM_UTF8)):
            return False
        try:
            decode(block)
        except UnicodeDecodeError:
            return False
        yield _share(file, 0, 5)
    return True


def _share(file: File, begin: float, end: float) -> Progress:
    done = file.position / file.size if file.size else 1
    return Progress(round(begin + (end - begin) * done, 1), 100, "%", "Reading the text")


def dialect_of(path: str, name: str) -> Dialect:
    """How the CSV at `path` (UTF-8) is written, by its first rows. Raises ProcessorError for an endless first row."""
    with Path(path).open(encoding="utf-8", errors="replace", newline="") as stream:
        head = stream.read(_HEAD)
    whole = len(head) < _HEAD
    if not whole and "\n" not in head:
        raise ProcessorError("The first row is longer than a million characters: this is no table.")
    delimiter = _delimiter(head, {".tsv": "\t", ".tab": "\t", ".psv": "|"}.get(PurePath(name).suffix.lower()), whole)
    rows = _rows(head, delimiter, whole)
    skip = len(head) - len(head.lstrip("\n"))
    header = _has_header(rows)
    first = rows[0] if rows else []
    return Dialect(delimiter, header, unique_names(first if header else [""] * len(first)), rows[header:], skip)


def _delimiter(head: str, named: str | None, whole: bool) -> str:
    """The sign that divides most rows into equally many columns, the file name's own first."""
    best, found = (0.5, 1), ""
    for candidate in (",", ";", "\t", "|"):
        rows = _rows(head, candidate, whole)
        width, agree = Counter(len(row) for row in rows).most_common(1)[0] if rows else (0, 0)
        score = (agree / len(rows) if rows else 0.0, width)
        if width > 1 and candidate == named and score > (0.5, 1):
            return candidate
        if width > 1 and score > best:
            best, found = score, candidate
    return found or next(sign for sign in "\x1f\x1e\x1d\x1c\x01\x02,;" if sign not in head or sign in ",;")


def _rows(head: str, delimiter: str, whole: bool) -> list[list[str]]:
    """The first rows that are complete, without blank ones; as far as they can be read."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _SNIFFED_ROWS:
                return rows[:-1]
    except csv.Error:
        return rows
    return rows if whole else rows[:-1]


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """The first row names the columns, unless it holds numbers or dates where the rows below it do.

    A year does not count: it is often a column's name. Text above numbers decides for a header at once.
    """
    if not rows:
        return False
    against = False
    for index, cell in enumerate(rows[0]):
        below = [row[index].strip() for row in rows[1:] if len(row) > index and row[index].strip()]
        typed = bool(below) and all(_NUMBER.fullmatch(value) for value in below)
        looks = bool(_NUMBER.fullmatch(cell.strip()))
        if typed and cell.strip() and not looks:
            return True
        against = against or (looks and (typed or not below) and not _YEAR.fullmatch(cell.strip()))
    return not against


def bad_json_line(path: str) -> str:
    """What is wrong in the first line that is no JSON object, in a sentence with its number."""
    with Path(path).open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                fine = not line.strip() or isinstance(json.loads(line), dict)
            except RecursionError:
                return f"Row {number} is nested too deeply."
            except ValueError as error:
                return f"Row {number} is not valid JSON: {str(error).partition(':')[0].lower()}."
            if not fine:
                return f'Row {number} is not an object with named values, such as {{"name": "Ada"}}.'
    return "The rows cannot be read as JSON."


def unique_names(names: Sequence[str]) -> list[str]:
    """Names that a reader can tell apart: none empty, none twice (case does not matter), no control characters."""
    numbers: dict[str, int] = {}
    found = []
    for number, given in enumerate(names, 1):
        name = re.sub(r"[\x00-\x1f\x7f]+", " ", given).strip()[:200] or f"column {number}"
        shown = name
        while shown.casefold() in numbers:
            numbers[name.casefold()] += 1
            shown = f"{name} ({numbers[name.casefold()]})"
        numbers[shown.casefold()] = 1
        found.append(shown)
    return found
