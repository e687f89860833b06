"""What staff read on a job's page: facts, timeline, events, result, artifacts."""

import uuid
from typing import Any

from django.urls import reverse

from processing import display
from processing.lifecycle import JobState
from processing.models import Artifact, Job, JobEvent

EVENTS_SHOWN = 200
TURNS = {"queued": "", "started": "", "retrying": "warn", "succeeded": "ok", "failed": "error", "cancelled": "quiet"}
"""The events that make a timeline, and their colours; logs and partial results are in the table of all events."""


def outcome(job: Job) -> dict[str, Any]:
    """What came out: error, result, artifacts, traceback, as text to be escaped."""
    return {
        "failed": job.state == JobState.FAILED,
        "error_message": display.visible(job.error_message),
        "error_code": job.error_code,
        "result": display.pretty(job.result) if job.result is not None else "",
        "result_url": _file_url(job.pk, job.result_artifact_id) if job.result_artifact_id else "",
        "artifacts": [_artifact(a) for a in job.artifacts.all() if a.pk != job.result_artifact_id],
        "traceback": display.visible(job.traceback, lines=True),
    }


def events(job: Job, *, everything: bool = False) -> dict[str, Any]:
    """The newest events, or all that are kept, oldest first; `earlier` is how many were left out."""
    rows = list(job.events.order_by("-seq")[: None if everything else EVENTS_SHOWN])[::-1]
    earlier = rows[0].seq - job.first_seq if rows else 0
    return {"events": [{"row": row, "text": event_text(row)} for row in rows], "earlier": max(0, earlier)}


def timeline(job: Job) -> list[dict[str, Any]]:
    """The turns of a job's life, each with how long after the one before it came."""
    turns: list[dict[str, Any]] = []
    before = None
    for row in job.events.filter(event__in=TURNS).order_by("seq")[:100]:
        after = display.seconds((row.created_at - before).total_seconds()) if before else ""
        turns.append({"row": row, "text": event_text(row), "after": after, "kind": TURNS[row.event]})
        before = row.created_at
    return turns


def event_text(row: JobEvent) -> str:
    """What a durable event says, in a line or a few."""
    data = row.data if isinstance(row.data, dict) else {}
    if row.event == "log":
        text = f"{data.get('level', 'info')}: {data.get('message', '')}"
    elif row.event == "failed":
        text = str((data.get("error") or {}).get("message", ""))
    elif row.event == "retrying":
        delay = data.get("delay_seconds")
        text = str(data.get("reason", "")).replace("_", " ") + (f", in {delay} s" if delay else "")
    elif row.event == "succeeded":
        files = len(data.get("artifacts") or [])
        text = f"{files} file{'' if files == 1 else 's'}" if files else ""
    else:
        text = display.compact(data["data"]) if "data" in data else ""
    return display.visible(text if len(text) <= 500 else f"{text[:500]}…")


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": display.name(artifact.name),
        "about": f"{display.size(artifact.size)}, {display.visible(artifact.content_type)}",
        "url": _file_url(artifact.job_id, artifact.pk),
    }


def _file_url(job_id: uuid.UUID, artifact_id: uuid.UUID) -> str:
    return reverse("admin:processing_job_file", args=[job_id, artifact_id])
