"""The HTTP API of jobs. What is another's is 404."""

import uuid
from typing import Annotated, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router
from pydantic import Field

from processing import access, downloads, events, services
from processing.errors import NotFound
from processing.lifecycle import JobState
from processing.models import Job

router = Router()


def _job(request: HttpRequest, job_id: uuid.UUID) -> Job:
    principal = access.of_request(request)
    token = request.GET.get("token") or request.headers.get("X-Upload-Token")
    return services.find(principal, job_id, token)


@router.get("jobs")
def list_jobs(
    request: HttpRequest,
    state: JobState | None = None,
    before: uuid.UUID | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """One's own jobs, newest first, each as `job.state`; `next` is the `before` of the next page."""
    found = services.listing(access.of_request(request), state=state or "", before=before, limit=limit)
    return {"jobs": [events.state(job) for job in found], "next": str(found[-1].pk) if len(found) == limit else None}


@router.get("jobs/{uuid:job_id}")
def one_job(request: HttpRequest, job_id: uuid.UUID) -> dict[str, Any]:
    """A job as `job.state`, with how many wait before it."""
    job = _job(request, job_id)
    return {**events.state(job), "ahead": services.ahead_of(job)}


@router.get("jobs/{uuid:job_id}/events")
def job_events(request: HttpRequest, job_id: uuid.UUID, after: Annotated[int, Field(ge=0)] = 0) -> dict[str, Any]:
    """The durable events after `after`, at most 500; ask again after the last one's seq for more."""
    return {"events": events.replay(_job(request, job_id).pk, after)}


@router.get("jobs/{uuid:job_id}/result")
def job_result(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """A result that is too large for a message, as a JSON file."""
    artifact = _job(request, job_id).result_artifact
    if artifact is None:
        raise NotFound("This job's result is in the job itself.")
    return downloads.artifact(request, artifact)


@router.get("jobs/{uuid:job_id}/artifacts/{uuid:artifact_id}")
def job_artifact(request: HttpRequest, job_id: uuid.UUID, artifact_id: uuid.UUID) -> HttpResponseBase:
    """A file that the job made, as an attachment; pictures inline with `?inline=1`."""
    artifact = _job(request, job_id).artifacts.filter(pk=artifact_id).first()
    if artifact is None:
        raise NotFound("There is no such artifact.")
    return downloads.artifact(request, artifact)
