"""processing.api: what an author writes, and what is refused at import."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from processing.api import File, Log, Partial, Processor, ProcessorError, Progress, Steps, processor
from processing.errors import BadParams
from processing.testing import run


def known(function: Callable[..., Any]) -> Processor:
    found: Processor = function.processor  # type: ignore[attr-defined]
    return found


def nothing(file: File) -> None: ...


@processor("count-down", accepts=["text/*", "image/PNG"], requires={"json": "nothing"})
def count_down(file: File, *, start: int = 3) -> Steps:
    """Count down, and
    then say go.

    More about it.
    """
    for number in range(start, 0, -1):
        yield Progress(start - number, start)
    yield Partial("go")
    return file.name


def test_the_function_stays_callable_and_knows_its_processor() -> None:
    found = known(count_down)
    assert found.name == "count-down"
    assert found.title == "Count down"
    assert found.description == "Count down, and then say go."
    assert found.function is count_down
    assert (found.queue, found.max_attempts, found.time_limit, found.memory_limit) == ("default", 3, 3600, 4 << 30)
    assert (found.streaming, found.uses_django) == (False, False)
    assert next(count_down(None, start=1)) == Progress(0, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content_type", "taken"),
    [
        ("text/plain", True),
        ("TEXT/csv; charset=utf-8", True),
        ("image/png", True),
        ("image/jpeg", False),
        ("application/text", False),
        ("", False),
    ],
)
def test_content_types_are_matched_without_case_and_parameters(content_type: str, taken: bool) -> None:
    assert known(count_down).takes(content_type) is taken


def test_everything_is_taken_by_default() -> None:
    @processor("any")
    def any_file(file: File) -> None: ...

    assert known(any_file).takes("application/x-whatever")


@pytest.mark.parametrize("name", ["", "Word", "word_count", "-a", "a-", "a--b", "é", "a b", "../a", "a" * 101])
def test_names_are_slugs(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case letters and digits"):
        processor(name)(nothing)
    with pytest.raises(ValueError, match="cannot name a queue"):
        processor("fine", queue=name)(nothing)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"accepts": []}, "it would take no file"),
        ({"accepts": ["csv"]}, "'csv' is not a content type"),
        ({"accepts": "text/csv"}, "accepts is a list"),
        ({"max_attempts": 0}, "must be above 0"),
        ({"time_limit": 0}, "must be above 0"),
        ({"memory_limit": -1}, "must be above 0"),
    ],
)
def test_wrong_options_are_refused_at_import(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        processor("fine", **options)(nothing)


def test_coroutines_are_refused() -> None:
    async def later(file: File) -> None: ...

    with pytest.raises(TypeError, match="not `async def`"):
        processor("later")(later)


@pytest.mark.parametrize("done", [-1, float("nan"), float("inf"), None, "3"])
def test_progress_takes_numbers_of_at_least_0(done: Any) -> None:
    with pytest.raises(ValueError, match="done must be a number"):
        Progress(done)
    if done is not None:
        with pytest.raises(ValueError, match="total must be a number"):
            Progress(1, done)


def test_progress_needs_no_total() -> None:
    assert Progress(5).total is None


def test_a_log_has_a_known_level() -> None:
    assert Log("hm").level == "info"
    with pytest.raises(ValueError, match="level must be one of"):
        Log("hm", "loud")  # type: ignore[arg-type]


def test_a_processor_error_has_a_message_for_people_and_a_code() -> None:
    error = ProcessorError("Row 17 is odd.")
    assert (error.message, error.code, str(error)) == ("Row 17 is odd.", "processing_failed", "Row 17 is odd.")


def test_a_plain_function_is_a_processor_without_steps() -> None:
    @processor("size")
    def size(file: File) -> int | None:
        return file.size

    outcome = run(size, b"12345")
    assert (outcome.result, outcome.progress) == (5, [])


def test_a_yield_that_is_no_step_is_the_authors_mistake() -> None:
    @processor("wrong")
    def wrong(file: File) -> Steps:
        yield "50 %"  # type: ignore[misc]

    with pytest.raises(TypeError, match="wrong yielded str; it may yield Progress, Partial or Log"):
        run(wrong, b"")


def test_closing_the_steps_runs_the_processors_finally() -> None:
    ended = []
    kept = []  # so that closing is what ends it, not the garbage collector

    def inner() -> Steps:
        try:
            while True:
                yield Progress(1)
        finally:
            ended.append(True)

    @processor("long")
    def long(file: File) -> Steps:
        kept.append(inner())
        return kept[0]

    steps = known(long).steps(None, {})  # type: ignore[arg-type]
    next(steps)
    assert not ended
    steps.close()
    assert ended


def test_steps_check_the_parameters() -> None:
    with pytest.raises(BadParams):
        next(known(count_down).steps(None, {"start": "three"}))  # type: ignore[arg-type]


def test_the_pure_part_brings_neither_django_nor_an_event_loop() -> None:
    code = (
        "import sys, processing.registry as r; r.load(r.BUILT_IN);"
        "print([m for m in ('django', 'channels', 'asyncio', 'duckdb', 'PIL', 'puremagic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
