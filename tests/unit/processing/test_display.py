"""Names, sizes, durations and states as staff read them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from processing import display
from processing.lifecycle import JobState
from processing.models import ApiToken, Job


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cities.csv", "cities.csv"),
        ("a\u202egpj.exe", "a⟨U+202E⟩gpj.exe"),
        ("a\u2066b\u200f", "a⟨U+2066⟩b⟨U+200F⟩"),
        ("line\nbreak\x00", "line␊break␀"),
        ("\x7f\x85\u2028", "␡⟨U+0085⟩⟨U+2028⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("👩‍🚀 שלום", "👩‍🚀 שלום"),
    ],
)
def test_what_hides_or_reorders_is_made_visible(given: str, shown: str) -> None:
    assert display.visible(given) == shown


def test_text_of_many_lines_keeps_them() -> None:
    assert display.visible("a\r\n\tb\x1b[0m", lines=True) == "a\n\tb␛[0m"


def test_a_name_is_escaped_and_has_a_direction_of_its_own() -> None:
    assert display.named("<b>&\u202e") == "<bdi>&lt;b&gt;&amp;⟨U+202E⟩</bdi>"
    assert display.name(" ") == "(no name)"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "size not known yet"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (104_857, "105 KB"),
        (999_600, "1 MB"),
        (18_700_000, "18.7 MB"),
        (5_100_000_000, "5.1 GB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes(count: int | None, shown: str) -> None:
    assert display.size(count).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (-1, "less than 0.1 s"),
        (0.2, "0.2 s"),
        (5.0, "5 s"),
        (41.4, "41 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (7300, "2 h 1 min"),
        (4 * 86_400 + 3 * 3600, "4 d 3 h"),
    ],
)
def test_durations(count: float, shown: str) -> None:
    assert display.seconds(count).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"done": 56, "total": 100, "message": "checking rows"}, "56 %, checking rows"),
        ({"done": 12, "total": None, "unit": "rows"}, "12 rows"),
        ({"done": 3, "total": 0}, ""),
        ({"done": 9, "total": 4}, "100 %"),
        ({"message": "a\u202eb"}, "a⟨U+202E⟩b"),
        (None, ""),
        ([1], ""),
    ],
)
def test_progress(value: object, shown: str) -> None:
    assert display.progress(value).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("ahead", "shown"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (21, "22nd")]
)
def test_places(ahead: int, shown: str) -> None:
    assert display.place(ahead) == f"{shown} in line"


@pytest.mark.parametrize(
    ("username", "owner", "shown"),
    [
        ("ada", "user:1", "ada"),
        (None, "user:1", "Account 1, deleted"),
        (None, "session:abcdef0123", "Browser abcdef"),
        (None, "", "Nobody, by token"),
    ],
)
def test_owners(username: str | None, owner: str, shown: str) -> None:
    assert display.owner(username, owner) == shown


def test_a_running_job_that_was_asked_to_stop_says_so() -> None:
    job = Job(state=JobState.RUNNING)
    assert display.job_state(job).word == "Processing"
    job.cancel_requested_at = timezone.now()
    assert display.job_state(job).word == "Cancelling"


def test_took_counts_the_newest_attempt_or_the_waiting() -> None:
    now = timezone.now()
    waiting = Job(state=JobState.QUEUED, available_at=now - timedelta(seconds=4))
    assert display.took(waiting, now) == "4\u00a0s"
    never = Job(state=JobState.CANCELLED)
    assert display.took(never, now) == ""
    running = Job(state=JobState.RUNNING, started_at=now - timedelta(seconds=41))
    assert display.took(running, now) == "41\u00a0s"
    running.finished_at = now - timedelta(seconds=40)
    assert display.took(running, now) == "1\u00a0s"


def test_states_of_a_token() -> None:
    now = timezone.now()
    assert display.token_state(ApiToken()).word == "Valid"
    assert display.token_state(ApiToken(expires_at=now)).word == "Expired"
    assert display.token_state(ApiToken(expires_at=now, revoked_at=now)).word == "Revoked"


def test_json_is_laid_out_and_text_is_left() -> None:
    assert display.pretty({"a": ["é", 1]}) == '{\n  "a": [\n    "é",\n    1\n  ]\n}'
    assert display.pretty("two\nlines") == "two\nlines"
    assert display.compact({"a": 1}) == '{"a": 1}'
