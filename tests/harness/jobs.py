"""Jobs without an upload: a file put into the storage, `services.submit`, and a look at the rows."""

import json
from pathlib import Path
from typing import Any

from tests.harness.site import Site
from tests.harness.waiting import wait_until

_SUBMIT = """
import json, uuid
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from processing import services
orders = json.loads({orders!r})
content = b"to be or not to be"
name = storages["uploads"].save("tests/" + uuid.uuid4().hex, ContentFile(content))
given = services.Input("uploads", name, "words.txt", len(content), "0" * 64, "text/plain")
for processor, wanted, count in orders:
    for number in range(count):
        params = {{key: value.replace("%d", str(number)) if isinstance(value, str) else value
                  for key, value in wanted.items()}}
        print("job", services.submit("test:1", given, services.Owning("user:1"), processor, params).pk)
"""

FINAL = {"succeeded", "failed", "cancelled"}


def submit(site: Site, processor: str, params: dict[str, Any] | None = None, count: int = 1) -> list[str]:
    """Submit `count` jobs from a process of their own; their ids. A `%d` in a text parameter becomes the number."""
    return submit_all(site, (processor, params or {}, count))


def submit_all(site: Site, *orders: tuple[str, dict[str, Any], int]) -> list[str]:
    """Submit (processor, parameters, how many) for each order, all from one process; their ids."""
    done = site.manage("shell", "-v0", "-c", _SUBMIT.format(orders=json.dumps(orders)), timeout=300)
    return [line.split()[1].replace("-", "") for line in done.stdout.splitlines() if line.startswith("job ")]


def cancel(site: Site, job: str) -> None:
    """Ask for a job's cancellation, as the HTTP API does."""
    code = f"from processing import services, models; services.request_cancel(models.Job.objects.get(pk={job!r}))"
    site.manage("shell", "-v0", "-c", code)


def states(site: Site) -> dict[str, int]:
    """How many jobs are in which state."""
    return dict(site.rows("SELECT state, count(*) FROM processing_job GROUP BY state"))


def fields(site: Site, job: str, *names: str) -> tuple[Any, ...]:
    """Some columns of a job's row."""
    (found,) = site.rows(f"SELECT {', '.join(names)} FROM processing_job WHERE id = %s", job)
    return found


def wait_final(site: Site, count: int, seconds: float = 60) -> None:
    """Wait until `count` jobs have ended."""

    def all_final() -> bool:
        return sum(number for state, number in states(site).items() if state in FINAL) >= count

    wait_until(all_final, seconds, every=0.1, what=lambda: f"{count} final jobs; there are {states(site)}")


def wait_marked(mark: Path, word: str = "started", seconds: float = 30) -> int:
    """Wait until a processor of tests.hostile wrote `word`; its process id."""

    def written() -> str:
        return next((line for line in mark.read_text().splitlines() if line.startswith(word)), "")

    return int(wait_until(written, seconds, what=f"{word!r} in {mark.name}").split()[-1])


def check_events(site: Site) -> None:
    """Every job's events are numbered without a gap, and exactly one, the last, is terminal."""
    seen: dict[str, list[tuple[int, str]]] = {}
    for job, seq, event in site.rows("SELECT job_id, seq, event FROM processing_jobevent ORDER BY job_id, seq"):
        seen.setdefault(str(job), []).append((seq, event))
    for job, found in seen.items():
        first = found[0][0]
        assert [seq for seq, _ in found] == list(range(first, first + len(found))), f"a gap in {job}"
        terminal = [event for _, event in found if event in FINAL]
        assert len(terminal) == 1, f"{job} ended {len(terminal)} times: {found}"
        assert found[-1][1] in FINAL
