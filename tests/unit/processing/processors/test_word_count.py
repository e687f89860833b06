"""The processor word-count: right wherever a block ends."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.errors import BadParams
from processing.files import InputFile
from processing.processors import word_count as room
from processing.processors.word_count import word_count
from processing.testing import run

DATA = Path(__file__).parents[3] / "data"
TEXT = "Ein Fluß, ein Mühlrad; 水車 水車 der Fluß 🎉 \u2003 naïve\n\nEnde"


def count(source: Path | bytes, top: int = 1000) -> dict[str, Any]:
    result = run(word_count, source, top=top).result
    assert isinstance(result, dict)
    return result


def in_blocks_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = InputFile.blocks
    monkeypatch.setattr(InputFile, "blocks", lambda self, _=0: blocks(self, size))


def test_the_sonnet() -> None:
    words = Counter((DATA / "sonnet-utf8.txt").read_text(encoding="utf-8").split())
    result = count(DATA / "sonnet-utf8.txt", top=3)
    assert result == {"total": 119, "top": [["to", 3], ["of", 3], ["And", 3]]}
    assert result["total"] == words.total()


def test_the_latin1_poem_has_its_umlauts() -> None:
    words = dict(count(DATA / "erlkoenig-latin1.txt")["top"])
    assert words["Erlkönig"] == 2
    assert words["spät"] == 1


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 11, 64])
def test_a_word_or_a_character_across_two_blocks_counts_once(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks_of(size, monkeypatch)
    result = count(TEXT.encode())
    assert dict(result["top"]) == Counter(TEXT.split())
    assert result["total"] == 11


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(alphabet="aé水🎉 \n\t\u2003", max_size=60), size=st.integers(1, 9))
def test_any_text_in_any_blocks(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_blocks_of(size, monkeypatch)
        result = count(text.encode())
    assert dict(result["top"]) == Counter(text.split())
    assert result["total"] == len(text.split())


def test_the_leaders_are_shown_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks_of(6, monkeypatch)
    outcome = run(word_count, b"a b a c a d a", top=1)
    assert outcome.partials == [[["a", 2]], [["a", 3]], [["a", 3]]]
    assert [step.done for step in outcome.progress] == [6, 12, 13]
    assert outcome.result == {"total": 7, "top": [["a", 4]]}


def test_an_empty_file() -> None:
    assert count(b"") == {"total": 0, "top": []}
    assert count(b" \n ") == {"total": 0, "top": []}


def test_a_word_without_end_is_cut_and_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks_of(10_000, monkeypatch)
    assert count(b"x" * 1_000_000 + b" y") == {"total": 2, "top": [["x" * 100, 1], ["y", 1]]}


def test_many_different_words_are_bounded_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_DISTINCT", 100)
    in_blocks_of(500, monkeypatch)
    data = " ".join(f"w{i} often" for i in range(2000)).encode()
    outcome = run(word_count, data, top=1)
    assert outcome.result == {"total": 4000, "top": [["often", 2000]]}
    assert [log.level for log in outcome.logs] == ["warning"]
    assert "More than 100 different words" in outcome.logs[0].message


def test_a_thousand_leaders_of_long_words_still_fit_into_a_partial() -> None:
    data = " ".join("水" * 96 + str(1000 + i) for i in range(1500)).encode()
    assert len(count(data)["top"]) == 1000


@pytest.mark.parametrize("top", [0, 1001, "10", None])
def test_top_is_from_1_to_1000(top: Any) -> None:
    with pytest.raises(BadParams) as caught:
        run(word_count, b"", top=top)
    assert caught.value.detail == {"field": "top"}
