"""processing.files: what a processor reads and writes."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.api import File
from processing.files import InputFile, distinct_name, safe_name, sha256_of

CONTENT = bytes(range(256)) * 40  # 10,240 bytes


@pytest.fixture
def file(tmp_path: Path) -> InputFile:
    (tmp_path / "input").write_bytes(CONTENT)
    return given_file(tmp_path, tmp_path / "input")


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "input").write_bytes(CONTENT)
    number = os.open(tmp_path / "input", os.O_RDONLY)
    yield number
    os.close(number)


def given_file(folder: Path, source: Path | int, size: int = len(CONTENT)) -> InputFile:
    work = folder / "work"
    work.mkdir()
    return InputFile(source, "report.csv", "text/csv", size, None, work)


def test_it_is_a_file_as_the_api_declares_it(file: InputFile) -> None:
    as_declared: File = file
    assert (as_declared.name, as_declared.content_type, as_declared.size) == ("report.csv", "text/csv", 10_240)
    assert as_declared.sha256 is None


@pytest.mark.parametrize("size", [1, 7, 4096, 10_239, 10_240, 10_241, 1 << 20])
def test_blocks_give_all_bytes_and_tell_where_they_are(file: InputFile, size: int) -> None:
    seen = b""
    for block in file.blocks(size):
        assert 0 < len(block) <= size
        seen += block
        assert file.position == len(seen)
    assert seen == CONTENT


def test_blocks_begin_anew_each_time(file: InputFile) -> None:
    first = file.blocks(100)
    next(first)
    assert b"".join(file.blocks()) == CONTENT
    assert next(first) == CONTENT[100:200]


def test_a_block_of_nothing_is_refused(file: InputFile) -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        next(file.blocks(0))


def test_blocks_stop_at_the_known_size(tmp_path: Path, descriptor: int) -> None:
    assert b"".join(given_file(tmp_path, descriptor, 1000).blocks(300)) == CONTENT[:1000]


def test_a_file_that_is_too_short_is_an_error_not_an_end(tmp_path: Path, descriptor: int) -> None:
    blocks = given_file(tmp_path, descriptor, 20_000).blocks(10_240)
    assert next(blocks) == CONTENT
    with pytest.raises(OSError, match="ends at byte 10240; 20000 were expected"):
        next(blocks)


def test_an_empty_file_has_no_block(tmp_path: Path) -> None:
    (tmp_path / "input").touch()
    assert list(given_file(tmp_path, tmp_path / "input", 0).blocks()) == []


def test_a_descriptor_can_be_opened_again_and_again_at_places_of_its_own(tmp_path: Path, descriptor: int) -> None:
    file = given_file(tmp_path, descriptor)
    (tmp_path / "input").rename(tmp_path / "elsewhere")  # what the store does to a finished upload
    with file.open() as one, file.open() as two:
        assert one.read(10) == CONTENT[:10]
        assert two.read() == CONTENT
        assert one.read(10) == CONTENT[10:20]
    assert Path(file.path).read_bytes() == CONTENT
    assert b"".join(file.blocks()) == CONTENT
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0


def test_an_open_reader_moves_the_position(file: InputFile) -> None:
    with file.open() as stream:
        assert file.position == 0
        stream.read(1)
        assert 0 < file.position <= len(CONTENT)
        stream.read()
        assert file.position == len(CONTENT)
        stream.seek(0)
        assert stream.read(3) == CONTENT[:3]


def test_artifacts_lie_under_a_number_and_keep_name_type_and_size(file: InputFile) -> None:
    with file.artifact("table.csv") as out:
        out.write(b"a,b\n")
    with file.artifact("thing", "image/webp") as out:
        out.write(b"12345678")
    with file.artifact("thing.unheard-of") as out:
        pass
    made = file.artifacts
    assert [(one.name, one.content_type, one.size, one.path.name) for one in made] == [
        ("table.csv", "text/csv", 4, "0"),
        ("thing", "image/webp", 8, "1"),
        ("thing.unheard-of", "application/octet-stream", 0, "2"),
    ]
    assert made[0].path == file.workdir / "0"
    assert made[0].path.read_bytes() == b"a,b\n"


def test_an_artifact_whose_block_raised_is_dropped(file: InputFile) -> None:
    with pytest.raises(ZeroDivisionError), file.artifact("half.csv") as out:
        out.write(b"half")
        raise ZeroDivisionError
    with file.artifact("half.csv") as out:
        out.write(b"whole")
    assert [(one.name, one.size) for one in file.artifacts] == [("half.csv", 5)]
    assert sorted(path.name for path in file.workdir.iterdir()) == ["1"]


def test_an_artifact_that_nobody_closed_is_closed_at_the_end(file: InputFile) -> None:
    file.artifact("open.txt").write(b"kept")
    assert [(one.name, one.size) for one in file.artifacts] == [("open.txt", 4)]


def test_a_library_may_write_an_artifact_by_its_path_or_replace_it(file: InputFile) -> None:
    with file.artifact("by-path.txt") as out:
        Path(out.name).write_bytes(b"by path")
    with file.artifact("moved.txt") as out:
        elsewhere = Path(file.scratch, "made")
        elsewhere.write_bytes(b"moved here")
        elsewhere.replace(out.name)
    assert [one.path.read_bytes() for one in file.artifacts] == [b"by path", b"moved here"]
    assert [one.size for one in file.artifacts] == [7, 10]


def test_an_artifact_that_became_a_link_is_refused(file: InputFile) -> None:
    with pytest.raises(OSError, match="not a plain file"), file.artifact("secret") as out:
        Path(out.name).unlink()
        Path(out.name).symlink_to("/etc/passwd")
    assert file.artifacts == []


def test_an_artifact_can_be_read_back(file: InputFile) -> None:
    with file.artifact("a") as out:
        out.write(b"12345")
        out.seek(1)
        assert out.read(2) == b"23"


def test_names_that_are_alike_get_a_number(file: InputFile) -> None:
    for name in ("a.csv", "a.csv", "A.CSV", "a", "a", ".csv", "a-2.csv"):
        file.artifact(name).close()
    shown = [one.name for one in file.artifacts]
    assert shown == ["a.csv", "a-2.csv", "A-3.CSV", "a", "a-2", ".csv", "a-2-2.csv"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.csv", "plain.csv"),
        ("Übersicht ½ 🎉.png", "Übersicht ½ 🎉.png"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\temp\\x.csv", "C:_temp_x.csv"),
        ("nul\x00byte\n.txt", "nul_byte_.txt"),
        ("evil\u202egpj.exe", "evil_gpj.exe"),
        ("", "artifact"),
        ("..", "artifact.."),
        ("  ", "artifact"),
        ("\ud800.txt", "?.txt"),
        ("x" * 1000 + ".parquet", "x" * 247 + ".parquet"),
        ("é" * 1000, "é" * 127),
        ("a." + "b" * 1000, "a." + "b" * 253),
    ],
)
def test_names_are_made_safe_to_show(name: str, shown: str) -> None:
    assert safe_name(name) == shown


@settings(deadline=None)
@given(st.lists(st.text(max_size=300), max_size=20))
def test_any_names_become_safe_and_distinct(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        shown = distinct_name(safe_name(name), taken)
        assert 0 < len(shown.encode()) <= 255
        assert shown.strip(".")
        assert not set(shown) & set("/\\\x00\n\r\u202e\u2066")
        assert shown.casefold() not in taken
        taken.add(shown.casefold())


def test_scratch_is_a_private_folder_beside_the_artifacts(file: InputFile) -> None:
    folder = Path(file.scratch)
    assert folder == Path(file.scratch)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "0").write_bytes(b"temporary")
    file.artifact("a").close()
    assert [one.size for one in file.artifacts] == [0]


def test_two_threads_may_read_at_once(file: InputFile) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(b"".join(file.blocks(77)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 4


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
