"""The pages of jobs: one's own history, and one job, live. What is another's does not exist."""

import json
import uuid
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode

from processing import access, services
from processing.errors import NotFound
from processing.lifecycle import JobState
from processing.models import Job

PAGE_ROWS = 50
MOST_PAGES = 10_000
FILTERS = {
    JobState.QUEUED: "Waiting",
    JobState.RUNNING: "Processing",
    JobState.SUCCEEDED: "Done",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}
ALWAYS = (JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED)


def job_list(request: HttpRequest) -> HttpResponse:
    """One's own jobs, newest first, 50 a page: `?state=failed&page=2`. Nonsense in either is as if it were absent."""
    access.ensure_session(request)
    principal = access.of_request(request)
    own = Job.objects.owned_by(principal.owner)
    state = _state(request.GET.get("state", ""))
    page = _page(request.GET.get("page", ""))
    first = (page - 1) * PAGE_ROWS
    chosen = own.filter(state=state) if state else own
    found = list(chosen.order_by("-created_at", "-pk")[first : first + PAGE_ROWS + 1])
    context = {
        "keeps_history": bool(principal.owner),
        "jobs": found[:PAGE_ROWS],
        "filters": _filters(dict(own.order_by().values_list("state").annotate(Count("pk"))), state),
        "state": state,
        "page": page,
        "has_next": len(found) > PAGE_ROWS,
        "previous_url": _url(state, page - 1),
        "next_url": _url(state, page + 1),
    }
    return render(request, "processing/jobs.html", context)


def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """One job. The page draws it from the socket; here are its name, its state and its reason."""
    principal = access.of_request(request)
    try:
        found = services.find(principal, job_id)
    except NotFound:
        raise Http404 from None
    upload = found.source.removeprefix("upload:") if found.source.startswith("upload:") else ""
    context = {
        "job": found,
        "upload": upload,
        "params": json.dumps(found.params),
        "upload_url": f"/api/v1/uploads/{upload}/file" if upload else "",
        "traceback": found.traceback if principal.is_staff else "",
    }
    return render(request, "processing/job.html", context)


def _state(text: str) -> str:
    return text if text in FILTERS else ""


def _page(text: str) -> int:
    return min(max(1, int(text)), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _filters(counts: dict[str, int], state: str) -> list[dict[str, Any]]:
    """All, the states that are always of interest, and the others where there is one in them."""
    shown = [{"name": "", "title": "All", "count": sum(counts.values()), "url": _url("", 1), "current": not state}]
    shown += [
        {"name": name, "title": title, "count": counts.get(name, 0), "url": _url(name, 1), "current": name == state}
        for name, title in FILTERS.items()
        if counts.get(name) or name in ALWAYS or name == state
    ]
    return shown


def _url(state: str, page: int) -> str:
    query = {"state": state} if state else {}
    if page > 1:
        query["page"] = str(page)
    return f"/jobs/?{urlencode(query)}" if query else "/jobs/"
