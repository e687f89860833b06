"""The shipped processors over an open descriptor of a file that has no name any more: how the child process gets it."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from processing.files import InputFile
from processing.jsonable import to_json
from processing.registry import BUILT_IN, load

DATA = Path(__file__).parents[3] / "data"


@pytest.mark.parametrize(
    ("name", "data", "key", "value", "artifacts"),
    [
        ("inspect", "report.pdf", "type", "application/pdf", []),
        ("word-count", "sonnet-utf8.txt", "total", 119, []),
        ("table-profile", "measurements.csv", "rows", 3000, ["input.parquet"]),
        ("table-profile", "measurements.jsonl", "rows", 3000, ["input.parquet"]),
        ("table-profile", "measurements.parquet", "rows", 3000, []),
        ("thumbnail", "photo.jpg", "height", 1600, ["input-256.webp", "input-1024.webp"]),
    ],
)
def test_it_works(name: str, data: str, key: str, value: Any, artifacts: list[str], tmp_path: Path) -> None:
    ending = Path(data).suffix
    place, work = tmp_path / "stored", tmp_path / "work"
    work.mkdir()
    shutil.copyfile(DATA / data, place)
    descriptor = os.open(place, os.O_RDONLY)
    place.unlink()
    try:
        file = InputFile(descriptor, f"input{ending}", "", os.fstat(descriptor).st_size, None, work)
        steps = load(BUILT_IN, entry_points=False).get(name).steps(file, {})
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result = to_json(end.value)
                break
        assert isinstance(result, dict)
        assert result[key] == value
        assert [made.name for made in file.artifacts] == artifacts
        assert all(made.size == made.path.stat().st_size > 0 for made in file.artifacts)
    finally:
        os.close(descriptor)
