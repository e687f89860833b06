"""docs/processors.md: every Python block in it runs, and its tests pass."""

import re
import sys
import types
from pathlib import Path

import pytest

from processing.api import Processor
from processing.registry import BUILT_IN, load
from processing.testing import run

CHECKOUT = Path(__file__).parents[3]
TEXT = (CHECKOUT / "docs" / "processors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """One module of all blocks, as a reader would collect them."""
    found = types.ModuleType("read_in_the_docs")
    monkeypatch.setitem(sys.modules, found.__name__, found)
    for block in BLOCKS:
        whole = block if "def " in block else f"{block}def heavy(file): ...\n"  # a decorator alone
        exec(compile(whole, "docs/processors.md", "exec"), found.__dict__)
    return found


def test_the_processors_in_the_text_work(module: types.ModuleType) -> None:
    assert run(module.size, b"12345").result == {"name": "input.bin", "bytes": 5}
    assert run(module.shrink, b"", size=16).result == "16 webp"
    assert isinstance(module.heavy.processor, Processor)


def test_the_tests_in_the_text_pass(module: types.ModuleType) -> None:
    tests = [name for name in vars(module) if name.startswith("test_")]
    assert tests == ["test_letters", "test_first_column"]
    for name in tests:
        getattr(module, name)()


def test_every_shipped_processor_and_option_is_named() -> None:
    for found in load(BUILT_IN, entry_points=False).all():
        assert f"| `{found.name}` |" in TEXT
    for option in (
        "accepts",
        "title",
        "queue",
        "max_attempts",
        "time_limit",
        "memory_limit",
        "requires",
        "uses_django",
    ):
        assert f"| `{option}` |" in TEXT
