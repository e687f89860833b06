"""processing.registry: what is loaded, what is left out, what is said about it."""

import importlib.metadata
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processing import registry as room
from processing.errors import UnknownProcessor
from processing.registry import BUILT_IN, RegistryError, load

Write = Callable[[str, str], None]

AUTHORS = """
    from processing.api import File, processor

    @processor("{name}", accepts=["text/csv"], requires={requires})
    def mine(file: File, *, top: int = 3):
        '''Mine.'''
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module that can be imported: write(name, source)."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def offer(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    made = [importlib.metadata.EntryPoint(name, value, room.GROUP) for name, value in points]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: made if group == room.GROUP else [])


def test_the_shipped_processors() -> None:
    found = load(BUILT_IN)
    assert [one.name for one in found.all()] == ["inspect", "word-count", "table-profile", "thumbnail"]
    assert found.missing == {}
    assert found.get("inspect").takes("anything/at-all")
    assert [one.name for one in found.accepts("image/png")] == ["inspect", "thumbnail"]


def test_the_description_is_what_welcome_lists() -> None:
    described = {one["name"]: one for one in load(BUILT_IN).describe()}
    words = described["word-count"]
    assert set(words) == {"name", "title", "description", "accepts", "streaming", "params"}
    assert words["accepts"] == ["text/*"]
    assert words["params"]["properties"]["top"]["maximum"] == 1000
    for one in described.values():
        for name, parameter in one["params"]["properties"].items():
            assert parameter.get("description"), f"{one['name']}: {name} has no help"


def test_the_processes_own_one_comes_from_the_settings() -> None:
    assert "inspect" in room.registry().processors
    assert set(BUILT_IN) <= set(room.modules())
    assert room.registry() is room.registry()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownProcessor, match=r"There is no processor nope. There are: inspect, word-count"):
        load(BUILT_IN).get("nope")


def test_a_module_of_ones_own(write: Write) -> None:
    write("mine_a", AUTHORS.format(name="mine", requires={}))
    found = load(["mine_a"], entry_points=False)
    assert found.get("mine").accepts == ("text/csv",)
    assert load(["mine_a", "mine_a"], entry_points=False).all() == found.all()


def test_a_processor_imported_by_another_module_is_one_processor(write: Write) -> None:
    write("mine_a", AUTHORS.format(name="mine", requires={}))
    write("mine_b", "from mine_a import mine")
    assert len(load(["mine_a", "mine_b"], entry_points=False).all()) == 1


def test_two_of_one_name_are_an_error_that_names_both(write: Write) -> None:
    write("mine_a", AUTHORS.format(name="mine", requires={}))
    write("mine_b", AUTHORS.format(name="mine", requires={}))
    with pytest.raises(RegistryError, match="Two processors are called mine: one in mine_a, one in mine_b"):
        load(["mine_a", "mine_b"], entry_points=False)


def test_what_is_not_installed_leaves_a_processor_out_and_says_why(write: Write) -> None:
    write("mine_a", AUTHORS.format(name="mine", requires={"no_such_library": "headrace[magic]"}))
    found = load(["mine_a", *BUILT_IN], entry_points=False)
    assert found.missing == {"mine": "it needs no_such_library, which is not installed (pip install 'headrace[magic]')"}
    assert "mine" not in [one.name for one in found.all()]
    with pytest.raises(UnknownProcessor, match="mine is not available: it needs no_such_library"):
        found.get("mine")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        (
            "from processing.api import processor\n@processor('Bad Name')\ndef f(file): ...",
            "ValueError: 'Bad Name' cannot",
        ),
    ],
)
def test_a_module_that_fails_is_named_in_one_line(write: Write, source: str, reason: str) -> None:
    write("broken_a", source)
    with pytest.raises(RegistryError) as caught:
        load(["broken_a"], entry_points=False)
    assert str(caught.value).startswith("The processor module broken_a cannot be imported: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entry_points_bring_functions_and_modules(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("mine_a", AUTHORS.format(name="mine-a", requires={}))
    write("mine_b", AUTHORS.format(name="mine-b", requires={}))
    offer(monkeypatch, ("a", "mine_a"), ("b", "mine_b:mine"))
    assert [one.name for one in load([]).all()] == ["mine-a", "mine-b"]
    assert load([], entry_points=False).all() == []


def test_an_entry_point_that_fails_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("gone", "no_such_module:mine"))
    with pytest.raises(
        RegistryError, match=r"entry point gone = no_such_module:mine .* cannot be imported: ModuleNotF"
    ):
        load([])
    write("mine_a", AUTHORS.format(name="mine", requires={}))
    offer(monkeypatch, ("typo", "mine_a:yours"))
    with pytest.raises(RegistryError, match="typo = mine_a:yours"):
        load([])
    offer(monkeypatch, ("other", "mine_a:File"))
    with pytest.raises(RegistryError, match="is no processor: decorate it"):
        load([])
