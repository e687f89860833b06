"""Jobs that a worker of the test runs: submit, wait, look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from processing.models import Job, JobEvent
from processing.threads import in_db
from tests.harness.waiting import wait_for
from tests.unit.processing.making import events_of, make_job, row

Starts = Callable[..., Any]


async def ended(job: Job, seconds: float = 20) -> Job:
    """The row, once it is final."""

    async def final() -> Job | None:
        now = await in_db(row, job)
        return now if now.is_final else None

    found: Job | None = await wait_for(final, seconds, what=lambda: f"the end of {job}")
    assert found is not None
    return found


async def run(processor: str, params: dict[str, Any] | None = None, **options: Any) -> Job:
    """Submit and wait for the end."""
    return await ended(await in_db(make_job, processor, params, **options))


async def event_names(job: Job) -> list[str]:
    return await in_db(events_of, job)


async def logs(job: Job) -> list[tuple[str, str]]:
    def read() -> list[tuple[str, str]]:
        data = JobEvent.objects.filter(job=job, event="log").order_by("seq").values_list("data", flat=True)
        return [(one["level"], one["message"]) for one in data]

    return await in_db(read)


async def running(job: Job, mark: Path, word: str = "started") -> int:
    """Wait until the processor wrote `word`; the process id that it wrote beside it."""

    def written() -> str:
        return next((line for line in mark.read_text().splitlines() if line.startswith(word)), "")

    return int((await wait_for(written, what=f"{word!r} of {job}")).split()[-1])
