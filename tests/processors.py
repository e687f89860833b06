"""Processors that tests need: one that takes its time, one that fails, one that shows much on the way."""

import time
from typing import Annotated

from pydantic import Field

from processing.api import File, Log, Partial, ProcessorError, Progress, Steps, processor

Seconds = Annotated[float, Field(ge=0, le=600)]
Count = Annotated[int, Field(ge=1, le=10_000)]


@processor("slow", title="Slow")
def slow(file: File, *, seconds: Seconds = 2.0, steps: Count = 20) -> Steps:
    """Take `seconds`, report `steps` times, and give the size.

    Parameters
        seconds: how long it takes in all
        steps: how often it reports
    """
    for step in range(steps):
        time.sleep(seconds / steps)
        yield Progress(step + 1, steps, "steps", f"Step {step + 1} of {steps}, waiting")
    return {"size": file.size, "steps": steps}


@processor("fail-at", title="Fail at a row", max_attempts=1)
def fail_at(file: File, *, row: Count = 17, seconds: Seconds = 0.5) -> Steps:
    """Read rows until `row`, then say politely what is wrong with it."""
    rows = []
    yield Log("header: city,population")
    for number in range(1, row):
        time.sleep(seconds / row)
        rows.append({"city": f"City {number}", "population": number * 1000})
        yield Progress(number, 50, "rows", "Step 1 of 3, reading rows")
        yield Partial(rows)
    yield Log(f"row {row}: 2 columns, expected 3", "warning")
    raise ProcessorError(f"Row {row} has 2 columns, expected 3.", "bad_row")


@processor("crash", title="Crash", max_attempts=1)
def crash(file: File) -> Steps:
    """Raise what nobody expected."""
    yield Progress(1, 2)
    raise RuntimeError("an inner detail")


@processor("partials", title="Partial results")
def partials(file: File, *, count: Count = 20, seconds: Seconds = 2.0) -> Steps:
    """Show rows as they come; write a small file beside them."""
    rows: list[dict[str, object]] = []
    for number in range(1, count + 1):
        time.sleep(seconds / count)
        rows.append({"city": f"City {number}", "population": number * 1000, "area": number / 2})
        yield Log(f"read row {number}")
        yield Progress(number, count, "rows", "Step 2 of 3, checking rows")
        yield Partial(rows)
    with file.artifact("rows.csv", "text/csv") as out:
        out.write(b"city,population\n" + b"".join(f"{r['city']},{r['population']}\n".encode() for r in rows))
    return rows


@processor("test-large-result", title="A large result")
def large_result(file: File) -> str:
    """More than fits a message."""
    return "r" * 300_000


@processor("test-fails", title="Fails politely")
def fails(file: File) -> None:
    """The sentence is for the user."""
    raise ProcessorError("Row 17 has 2 columns, expected 3.")
