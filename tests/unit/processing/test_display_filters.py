"""What templates show: the same words as the scripts write (tests/unit/js/shown.json)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from processing import display
from processing.models import Job
from processing.templatetags import display as filters

SHOWN = json.loads((Path(__file__).parents[1] / "js" / "shown.json").read_text())


def plain(text: str) -> str:
    """With common spaces: a page may break a line there, the admin's tables must not."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(("name", "shown"), SHOWN["names"])
def test_names(name: str, shown: str) -> None:
    assert display.name(name) == shown


@pytest.mark.parametrize(("size", "shown"), [(size, shown) for size, shown in SHOWN["sizes"] if isinstance(size, int)])
def test_sizes(size: int, shown: str) -> None:
    assert plain(display.size(size)) == shown


@pytest.mark.parametrize(("seconds", "shown"), SHOWN["seconds"])
def test_durations(seconds: float, shown: str) -> None:
    assert plain(display.seconds(seconds)) == shown


@pytest.mark.parametrize(
    ("state", "word", "tone"),
    [
        ("queued", "Waiting", "warn"),
        ("running", "Processing", ""),
        ("succeeded", "Done", "ok"),
        ("failed", "Processing failed", "error"),
        ("cancelled", "Cancelled", "quiet"),
    ],
)
def test_states(state: str, word: str, tone: str) -> None:
    job = Job(state=state)
    assert (filters.state_word(job), filters.tone(job)) == (word, tone)


def test_size_and_time() -> None:
    begin = timezone.now()
    job = Job(state="succeeded", input_size=105_000, started_at=begin, finished_at=begin + timedelta(seconds=6.1))
    assert plain(filters.size_and_time(job)) == "105 KB · took 6.1 s"
    job.state = "cancelled"
    assert plain(filters.size_and_time(job)) == "105 KB"


@pytest.mark.parametrize(
    ("name", "kind"), [("a.csv", "CSV"), ("photo.JPEG", "JPEG"), ("a.parquet", "PARQ"), ("README", "FILE")]
)
def test_kinds(name: str, kind: str) -> None:
    assert filters.kind(Job(name=name)) == kind


def test_a_processor_that_is_gone_keeps_its_name() -> None:
    assert filters.processor_title(Job(processor="no-such")) == "no-such"


def test_a_reason_in_a_line() -> None:
    assert (
        filters.short_reason(Job(error_message="Row 17 has 2 columns, expected 3."))
        == "Row 17 has 2 columns, expected 3"
    )
    assert len(filters.short_reason(Job(error_message="x" * 5000))) <= 200


def test_when() -> None:
    assert filters.when(timezone.now()).count(":") == 1
    assert filters.when(datetime(2020, 1, 31, 13, 5, tzinfo=UTC)) == "31 Jan 2020, 13:05"
