"""The processor inspect, on real files and hostile ones."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from processing.processors import inspect as room
from processing.processors.inspect import inspect
from processing.testing import Given, run

DATA = Path(__file__).parents[3] / "data"


def look(source: Path | Given | bytes) -> dict[str, Any]:
    result = run(inspect, source).result
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("name", "kind", "encoding", "lines", "longest"),
    [
        ("measurements.csv", "text/plain", "utf-8", 3001, 84),
        ("measurements.tsv", "text/plain", "utf-8", 3001, 82),
        ("measurements.jsonl", "application/json", "utf-8", 3000, 203),
        ("measurements.parquet", "application/vnd.apache.parquet", None, None, None),
        ("photo.jpg", "image/jpeg", None, None, None),
        ("report.pdf", "application/pdf", None, None, None),
        ("sonnet-utf8.txt", "text/plain", "utf-8", 17, 49),
        ("erlkoenig-latin1.txt", "text/plain", "iso-8859-1", 17, 46),
    ],
)
def test_real_files(name: str, kind: str, encoding: str | None, lines: int | None, longest: int | None) -> None:
    path = DATA / name
    result = look(path)
    assert (result["type"], result["encoding"]) == (kind, encoding)
    assert (result["lines"], result["longest_line"]) == (lines, longest)
    assert result["matches_name"] is True
    assert result["encoding_errors"] is False
    assert result["size"] == path.stat().st_size
    assert result["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_empty_file() -> None:
    result = look(b"")
    assert (result["size"], result["lines"], result["longest_line"], result["encoding"]) == (0, 0, 0, None)
    assert result["sha256"] == hashlib.sha256(b"").hexdigest()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)


@pytest.mark.parametrize(
    ("data", "name", "kind", "matches"),
    [
        (PNG, "a.png", "image/png", True),
        (PNG, "a.jpg", "image/png", False),
        (PNG, "a.csv", "image/png", False),
        (PNG, "a", "image/png", None),
        (PNG, "a.bin", "image/png", None),
        (b"just words", "a.png", "text/plain", False),
        (b"just words", "words.docx", "text/plain", False),
        (b"BM looks like a bitmap", "a.txt", "text/plain", True),
        (b"From me to you", "a.md", "text/plain", True),
        (b"ID3 is no song", "a.txt", "text/plain", True),
        (b"<html><body>hello", "a.html", "text/html", True),
        (b"%PDF-1.7\n", "a.pdf", "application/pdf", True),
        (b"%PDF-1.7\n", "a.txt", "application/pdf", False),
        (b"PK\x03\x04" + bytes(40), "a.zip", "application/zip", True),
        (
            b"PK\x03\x04" + bytes(40),
            "a.docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            True,
        ),
        (b"PK\x03\x04" + bytes(40), "a.epub", "application/zip", True),
        (b"PK\x03\x04" + bytes(40), "a.png", "application/zip", False),
        (b"\x1f\x8b\x08\x00" + bytes(20), "a.csv.gz", "application/gzip", True),
        (bytes(100), "a.png", "application/octet-stream", None),
    ],
)
def test_content_against_name(data: bytes, name: str, kind: str, matches: bool | None) -> None:
    result = look(Given(data, name))
    assert (result["type"], result["matches_name"]) == (kind, matches)


def test_the_declared_type_is_only_repeated() -> None:
    result = look(Given(PNG, "a.png", "text/html"))
    assert (result["type_declared"], result["type"]) == ("text/html", "image/png")


@pytest.mark.parametrize(
    ("data", "lines", "longest"),
    [
        (b"a\nbb\nccc", 3, 3),
        (b"a\nbb\nccc\n", 3, 3),
        (b"a\r\nbb\r\n", 2, 2),
        (b"a\rbb\r", 2, 2),
        (b"\n\n\n", 3, 0),
        (b"x", 1, 1),
        ("äö\nü".encode(), 2, 2),
        ("äöß\nü".encode("iso-8859-1"), 2, 3),
        ("one\ntwo".encode("utf-16"), 2, 3),
        (b"\xef\xbb\xbfabc", 1, 3),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_lines_whatever_ends_them_and_wherever_a_block_ends(
    data: bytes, lines: int, longest: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_blocks_of(size, monkeypatch)
    result = look(data)
    assert (result["lines"], result["longest_line"]) == (lines, longest)


def in_blocks_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from processing.files import InputFile

    blocks = InputFile.blocks
    monkeypatch.setattr(InputFile, "blocks", lambda self, _=0: blocks(self, size))


def test_what_is_not_text_has_no_lines() -> None:
    result = look(bytes(range(256)) * 10)
    assert (result["lines"], result["encoding"]) == (None, None)


def test_an_encoding_that_shows_only_far_into_the_file() -> None:
    result = look(b"plain ascii\n" * 200_000 + "spät\n".encode("iso-8859-1"))
    assert (result["encoding"], result["encoding_errors"], result["lines"]) == ("iso-8859-1", False, 200_001)


def test_damaged_utf8_is_told() -> None:
    result = look("spät ".encode() * 40_000 + b"\xff\xff\n" + "spät".encode())
    assert (result["encoding"], result["encoding_errors"], result["lines"]) == ("utf-8", True, 2)


def test_it_streams_and_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks_of(1000, monkeypatch)
    progress = run(inspect, b"x" * 3500).progress
    assert [step.done for step in progress] == [0, 1000, 2000, 3000, 3500]
    assert {step.total for step in progress} == {3500}


def test_a_line_of_many_megabytes_is_not_kept() -> None:
    lines = room._Lines()
    for _ in range(100):
        lines.add("x" * 1_000_000)
    lines.end("")
    assert (lines.count, lines.longest) == (1, 100_000_000)
    assert not any(isinstance(value, str) for value in vars(lines).values())
