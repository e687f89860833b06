"""What the people who run a site look at: figures of now, and jobs with what a list shows of each. Queries only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db.models import Case, Count, F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from processing import display
from processing.lifecycle import JobState
from processing.models import Artifact, Job, Worker

REMEMBERED = timedelta(hours=1)
"""A worker that died without a word is missed this long."""


@dataclass(frozen=True)
class Figures:
    """The state of the site. `oldest_seconds` is how long the first job in line has waited, None where none waits."""

    counts: dict[str, int]
    oldest_seconds: float | None
    failed_lately: int
    workers_alive: int
    workers: int


def figures() -> Figures:
    """Four small queries. A failure counts for an hour; a worker for an hour after its last heartbeat."""
    by_state = Job.objects.order_by().values_list("state").annotate(number=Count("pk"))
    waiting = Job.objects.filter(state=JobState.QUEUED, available_at__lte=Now())
    oldest = waiting.aggregate(at=Min("available_at"))["at"]
    workers = Worker.objects.filter(stopped_at=None, heartbeat_at__gte=Now() - REMEMBERED)
    found = workers.aggregate(all=Count("pk"), alive=Count("pk", filter=alive()))
    return Figures(
        counts={str(state): 0 for state in display.JOB_STATES} | dict(by_state),
        oldest_seconds=_age(oldest),
        failed_lately=Job.objects.filter(state=JobState.FAILED, finished_at__gte=Now() - timedelta(hours=1)).count(),
        workers_alive=found["alive"],
        workers=found["all"],
    )


def alive() -> Q:
    """Workers whose heartbeat is younger than a lease: the others' jobs are taken from them."""
    return Q(stopped_at=None, heartbeat_at__gte=Now() - timedelta(seconds=settings.HEADRACE.lease_seconds))


def lost() -> Q:
    """Workers that fell silent without signing off."""
    return Q(stopped_at=None) & ~alive()


def stopped() -> Q:
    """Workers that signed off."""
    return Q(stopped_at__isnull=False)


WORKERS = {"alive": alive, "lost": lost, "stopped": stopped}


def worker_state(worker: Worker) -> display.Shown:
    """The same, of a row in hand."""
    if worker.stopped_at:
        return display.WORKER_STATES["stopped"]
    silent = (timezone.now() - worker.heartbeat_at).total_seconds()
    return display.WORKER_STATES["lost" if silent > settings.HEADRACE.lease_seconds else "alive"]


def listed(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """The jobs as a list shows them: with `ahead` (place in line) and `made` (number of results), no bulky columns."""
    before = Job.objects.filter(
        Q(priority__gt=OuterRef("priority")) | Q(priority=OuterRef("priority"), created_at__lt=OuterRef("created_at")),
        state=JobState.QUEUED,
        queue=OuterRef("queue"),
    )
    artifacts = Artifact.objects.filter(job=OuterRef("pk"))
    inline = Case(When(result__isnull=False, then=Value(1)), default=Value(0), output_field=IntegerField())
    return jobs.annotate(
        ahead=Case(When(state=JobState.QUEUED, then=_count(before)), default=None),
        made=_count(artifacts) + inline,
    ).defer("result", "traceback", "params")


def _count(rows: QuerySet[Job] | QuerySet[Artifact]) -> Coalesce:
    counted = rows.order_by().annotate(one=Value(1)).values("one").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def reason(job: Job) -> str:
    """Why the job is where it is, for a job from `listed`: its error, its step, its place in line, its results."""
    if job.state == JobState.FAILED:
        return display.visible(job.error_message)
    if job.state == JobState.RUNNING:
        return display.progress(job.progress)
    if job.state == JobState.QUEUED:
        line = display.place(cast("int", getattr(job, "ahead", 0)))
        return f"{line}, attempt {job.attempt + 1}" if job.attempt else line
    made = cast("int", getattr(job, "made", 0)) if job.state == JobState.SUCCEEDED else 0
    return f"{made} result{'' if made == 1 else 's'}" if made else ""


def recent(state: str = "", limit: int = 20) -> list[Job]:
    """The newest jobs, of one state or of all."""
    jobs = listed(Job.objects.filter(state=state) if state else Job.objects.all())
    return list(jobs.order_by(F("created_at").desc(), "-pk")[:limit])


def _age(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (timezone.now() - moment).total_seconds())


def row(job: Job) -> dict[str, str]:
    """A job from `listed` as texts to be escaped: name, word and kind of its state, took, reason."""
    shown = display.job_state(job)
    return {
        "name": display.name(job.name),
        "word": shown.word,
        "kind": shown.kind,
        "took": display.took(job),
        "reason": reason(job),
    }
