"""The upload page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from processing import access
from processing.access import Principal
from processing.errors import UnknownProcessor
from processing.models import Job
from processing.registry import registry
from uploads import services


def index(request: HttpRequest) -> HttpResponse:
    """Choose or drop files, and watch them. The list itself is the browser's: it asks the API what there is."""
    access.ensure_session(request)
    principal = access.of_request(request)
    context = {
        "owner_kind": principal.owner.partition(":")[0] or "none",
        "returning": _has_files(principal),
        "upload_bytes": settings.HEADRACE.upload_bytes,
        "default_title": _default_title(),
    }
    return render(request, "uploads/index.html", context)


def _has_files(principal: Principal) -> bool:
    """Whether the list will have rows: then the page does not greet with an empty one."""
    return Job.objects.owned_by(principal.owner).exists() or bool(services.unfinished(principal))


def _default_title() -> str:
    name = settings.HEADRACE.default_processor
    try:
        return registry().get(name).title if name else ""
    except UnknownProcessor:  # a system check says so at the start
        return name
