"""Jobs in the admin. Staff see everybody's here, and act through processing.services."""

import uuid
from collections import Counter
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from processing import display, downloads, job_page, overview, services
from processing.admin_parts import LONG_NAME, DateFilter, Fact, ReadOnlyAdmin, StateFilter, Tool, or_404, within_limit
from processing.display import Shown
from processing.errors import HeadraceError
from processing.lifecycle import JobState
from processing.models import Artifact, Job


class JobStateFilter(StateFilter):
    """All, Waiting, Processing, Failed, Done, Cancelled."""

    states = display.JOB_STATES


class JobChangeList(ChangeList):
    """Asks for what only a list needs once the rows are chosen, so that counts and facets do not."""

    def get_results(self, request: HttpRequest) -> None:
        """Django calls it for the rows of one page."""
        self.queryset = overview.listed(self.queryset)
        super().get_results(request)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The list of jobs and a page for each, with what happened and what came out."""

    change_form_template = "admin/processing/job/facts.html"
    list_display = ("file", "state_pill", "processor", "owned_by", "attempts", "took", "reason")
    list_filter = (JobStateFilter, "processor", "queue", ("created_at", DateFilter))
    list_select_related = ("user",)
    search_fields = ("name", "owner", "user__username", "id__startswith", "input_sha256__startswith")
    search_help_text = "Name, id, owner or SHA-256"
    date_hierarchy = "created_at"
    actions = ("cancel_jobs", "retry_jobs")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Ours."""
        return JobChangeList

    @admin.display(description="File", ordering="name")
    def file(self, job: Job) -> SafeString:
        """The name, which leads."""
        return display.named(job.name)

    @admin.display(description="State", ordering="state")
    def state_pill(self, job: Job) -> SafeString:
        """The state in a word."""
        return display.pill(display.job_state(job))

    @admin.display(description="Owner", ordering="owner")
    def owned_by(self, job: Job) -> str:
        """The account, the browser, or nobody."""
        return display.owner(job.user.get_username() if job.user else None, job.owner)

    @admin.display(description="Attempts", ordering="charged")
    def attempts(self, job: Job) -> str:
        """Those that count, of those allowed."""
        return f"{job.charged} of {job.max_attempts}"

    @admin.display(description="Took")
    def took(self, job: Job) -> str:
        """How long it ran, runs or waits."""
        return display.took(job)

    @admin.display(description="Error or step")
    def reason(self, job: Job) -> SafeString:
        """Why it is where it is."""
        return format_html('<span class="reason-text">{}</span>', overview.reason(job))

    def get_urls(self) -> list[URLPattern]:
        """One more for the files of a job."""
        view = self.admin_site.admin_view(self.file_view)
        here = path("<uuid:object_id>/files/<uuid:artifact_id>/", view, name="processing_job_file")
        return [here, *super().get_urls()]

    def file_view(self, request: HttpRequest, object_id: uuid.UUID, artifact_id: uuid.UUID) -> HttpResponseBase:
        """An artifact as an attachment: the API's own address is for the owner, and hides from everybody else."""
        artifact = Artifact.objects.filter(job_id=object_id, pk=artifact_id).first()
        if not self.has_view_permission(request):
            raise PermissionDenied
        if artifact is None:
            raise Http404
        return or_404(lambda: downloads.artifact(request, artifact))

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """For the action and the button."""
        return request.user.has_perm("processing.cancel_job")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """For the action and the button."""
        return request.user.has_perm("processing.retry_job")

    @admin.action(description="Cancel the chosen jobs", permissions=["cancel"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Waiting jobs end at once, running ones when their worker has stopped them."""
        done: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for job in within_limit(queryset, left):
            if job.is_final:
                left["had already ended."] += 1
                continue
            done[self._cancel(request, job)] += 1
        self.report(request, done, left)

    @admin.action(description="Process the chosen jobs again", permissions=["retry"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """A new job each; those that have not ended, or whose processor is gone, are left."""
        done: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for job in within_limit(queryset, left):
            try:
                self._retry(request, job)
            except HeadraceError as error:
                left[f"left: {error.message}"] += 1
            else:
                done["queued again."] += 1
        self.report(request, done, left)

    def _cancel(self, request: HttpRequest, job: Job) -> str:
        job = services.request_cancel(job)
        self.log_change(request, job, "Asked to cancel.")
        if job.state == JobState.CANCELLED:
            return "cancelled."
        return "being stopped by their workers." if not job.is_final else "ended just before."

    def _retry(self, request: HttpRequest, job: Job) -> Job:
        new = services.retry(job)
        self.log_change(request, job, f"Processed again as {new.pk}.")
        return new

    def offered(self, request: HttpRequest, obj: Job) -> list[Tool]:
        """Cancel while it lives, Process again once it ended."""
        if obj.is_final:
            return [Tool("retry", "Process again", "primary")] if self.has_retry_permission(request) else []
        stoppable = self.has_cancel_permission(request) and not obj.cancel_requested_at
        return [Tool("cancel", "Cancel", "danger")] if stoppable else []

    def perform(self, request: HttpRequest, obj: Job, tool: str) -> str:
        """After a retry the page is the new job's."""
        if tool == "cancel":
            self.report(request, Counter({f"job {self._cancel(request, obj)}": 1}), Counter())
            return self.url_of(obj)
        try:
            new = self._retry(request, obj)
        except HeadraceError as error:
            self.report(request, Counter(), Counter({f"job left: {error.message}": 1}))
            return self.url_of(obj)
        self.report(request, Counter({"job queued again. This is the new one.": 1}), Counter())
        return self.url_of(new)

    def heading(self, obj: Job) -> tuple[str, Shown]:
        """The file's name and the job's state."""
        return display.name(obj.name), display.job_state(obj)

    def facts(self, obj: Job) -> list[Fact]:
        """Who, what, when, how often."""
        return [
            ("Processor", obj.processor),
            ("Parameters", display.compact(obj.params) if obj.params else ""),
            ("Owner", self.row_link("user", obj.user_id, self.owned_by(obj)) or self.owned_by(obj)),
            ("Attempts", self.attempts(obj)),
            ("Took" if obj.is_final else "So far", display.took(obj)),
            ("Progress", display.progress(obj.progress) if obj.state == JobState.RUNNING else ""),
            ("Created", display.moment(obj.created_at)),
            ("Started", display.moment(obj.started_at)),
            ("Cancel asked for", display.moment(obj.cancel_requested_at)),
            ("Finished", display.moment(obj.finished_at)),
            ("Input", f"{display.size(obj.input_size)} {display.visible(obj.content_type)}"),
            ("SHA-256", obj.input_sha256 or ""),
            ("From", self.row_link(*obj.source.partition(":")[::2])),
            ("Repeats", self.row_link("job", obj.retry_of_id)),
            ("Repeated as", format_html_join(", ", "{}", ((self.row_link("job", j.pk),) for j in obj.retries.all()))),
            ("Worker", self.row_link("worker", obj.worker_id, str(obj.worker or ""))),
            ("Queue", f"{obj.queue}, priority {obj.priority}" if obj.priority else obj.queue),
            ("Job", str(obj.pk)),
            ("Whole name", display.named(obj.name) if len(obj.name) > LONG_NAME else ""),
        ]

    def more(self, request: HttpRequest, obj: Job) -> dict[str, Any]:
        """What came out, and what happened."""
        events = job_page.events(obj, everything=request.GET.get("events") == "all")
        return {**job_page.outcome(obj), **events, "timeline": job_page.timeline(obj)}
