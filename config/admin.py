"""The admin site: Django's, with the state of the service on its first page."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from processing import display, overview
from processing.lifecycle import JobState

ORDER = ("Job", "Upload", "Worker", "ApiToken", "User", "Group")
"""What people come for first; the rest follows."""


class HeadraceAdminSite(admin.AdminSite):
    """Django's admin under our name and with a dashboard."""

    site_header = "Headrace"
    site_title = "Headrace"
    index_title = "Admin"
    enable_nav_sidebar = False

    def get_urls(self) -> list[Any]:
        """The dashboard's figures as JSON, before Django's own."""
        live: URLPattern = path("live/", self.admin_view(self.live), name="live")
        return [live, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Jobs and uploads first."""
        apps: list[Any] = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=_rank)
        return sorted(apps, key=lambda app: min(map(_rank, app["models"])))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """With `tabs`: every list that this person may see."""
        context = super().each_context(request)
        models = [model for app in context["available_apps"] for model in app["models"] if model["admin_url"]]
        return {**context, "tabs": sorted(models, key=_rank)}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The dashboard, for staff who may see jobs, above the usual list."""
        dashboard = self.snapshot(request) if self._may(request) else None
        return super().index(request, {"dashboard": dashboard, **(extra_context or {})})

    def live(self, request: HttpRequest) -> HttpResponse:
        """What the dashboard's script asks for every few seconds."""
        if not self._may(request):
            raise PermissionDenied
        return JsonResponse(self.snapshot(request))

    def snapshot(self, request: HttpRequest) -> dict[str, Any]:
        """Figures and the newest jobs, of one state with `?state=`; everything is text or numbers, nothing markup."""
        chosen = request.GET.get("state", "")
        chosen = chosen if chosen in display.JOB_STATES else ""
        now = overview.figures()
        waiting = now.counts[JobState.QUEUED]
        return {
            "figures": {
                "running": now.counts[JobState.RUNNING],
                "waiting": waiting,
                "oldest": "" if now.oldest_seconds is None else f", oldest {display.seconds(now.oldest_seconds)}",
                "failed": now.failed_lately,
                "workers": f"{now.workers_alive} of {now.workers}",
            },
            "failing": now.failed_lately > 0,
            "missing": now.workers_alive < now.workers or (waiting > 0 and now.workers_alive == 0),
            "stuck": waiting > 0 and now.workers_alive == 0,
            "chips": _chips(now.counts, chosen),
            "state": chosen,
            "jobs": [self._job(job) for job in overview.recent(chosen)],
            "updated": timezone.now().isoformat(timespec="seconds"),
        }

    def _job(self, job: Any) -> dict[str, str]:
        url = reverse("admin:processing_job_change", args=[job.pk])
        return {"id": str(job.pk), "url": url, **overview.row(job)}

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.view_job")


def _rank(model: dict[str, Any]) -> int:
    return ORDER.index(model["object_name"]) if model["object_name"] in ORDER else len(ORDER)


def _chips(counts: dict[str, int], chosen: str) -> list[dict[str, Any]]:
    """All, and each state, with how many jobs are in it."""
    words = {"": "All"} | {str(state): shown.word for state, shown in display.JOB_STATES.items()}
    numbers = {"": sum(counts.values())} | counts
    return [
        {"state": state, "word": word, "count": numbers[state], "selected": state == chosen}
        for state, word in words.items()
    ]
