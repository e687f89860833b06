"""The pages of jobs."""

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from processing import access, services
from processing.errors import NotFound


def job_list(request: HttpRequest) -> HttpResponse:
    """One's own jobs."""
    access.ensure_session(request)
    return render(request, "processing/job_list.html", {"jobs": services.listing(access.of_request(request))})


def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """One job, live."""
    try:
        found = services.find(access.of_request(request), job_id)
    except NotFound:
        raise Http404 from None
    return render(request, "processing/job.html", {"job": found})
