"""Uploads in the admin: to look at. Their files belong to the store, so nothing is deleted here."""

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from processing import display, overview
from processing.admin_parts import LONG_NAME, DateFilter, Fact, ReadOnlyAdmin, StateFilter, or_404
from processing.display import Shown
from processing.downloads import download
from processing.models import Job
from uploads.models import Upload
from uploads.sealing import source_of
from uploads.store import ALIAS, store

State = Upload.State
STATES: dict[str, Shown] = {
    State.RECEIVING: Shown("Uploading", ""),
    State.SEALING: Shown("Checking", ""),
    State.COMPLETE: Shown("Stored", "ok"),
    State.FAILED: Shown("Upload failed", "error"),
    State.ABORTED: Shown("Cancelled", "quiet"),
    State.EXPIRED: Shown("Expired", "quiet"),
}


class UploadStateFilter(StateFilter):
    """All, Uploading, Checking, Stored, Upload failed, Cancelled, Expired."""

    states = STATES


class UploadChangeList(ChangeList):
    """Finds the jobs of the page's uploads in one query: `source` is no foreign key."""

    def get_results(self, request: HttpRequest) -> None:
        """Django calls it for the rows of one page."""
        super().get_results(request)
        newest: dict[str, Job] = {}
        sources = [source_of(upload) for upload in self.result_list]
        for job in Job.objects.filter(source__in=sources).order_by("created_at").defer("result", "traceback"):
            newest[job.source] = job
        for upload in self.result_list:
            upload.newest_job = newest.get(source_of(upload))


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """The list of uploads and a page for each, with its jobs."""

    change_form_template = "admin/uploads/upload/facts.html"
    list_display = ("file", "state_pill", "shown_size", "owned_by", "begun", "job")
    list_filter = (UploadStateFilter, "processor", ("created_at", DateFilter))
    list_select_related = ("user",)
    search_fields = ("name", "owner", "user__username", "id__startswith", "sha256__startswith")
    search_help_text = "Name, id, owner or SHA-256"
    date_hierarchy = "created_at"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Ours."""
        return UploadChangeList

    def get_urls(self) -> list[URLPattern]:
        """One more for the file itself."""
        view = self.admin_site.admin_view(self.file_view)
        return [path("<uuid:object_id>/file/", view, name="uploads_upload_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """The stored file as an attachment, whatever it claims to be."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        upload = Upload.objects.filter(pk=object_id, state=State.COMPLETE).first()
        if upload is None:
            raise Http404
        as_sent = {"name": upload.name, "content_type": "application/octet-stream", "etag": upload.sha256}
        stored = store().name(upload.pk)
        return or_404(lambda: download(request, ALIAS, stored, size=upload.size or 0, **as_sent))

    @admin.display(description="File", ordering="name")
    def file(self, upload: Upload) -> SafeString:
        """The name, which leads."""
        return display.named(upload.name)

    @admin.display(description="State", ordering="state")
    def state_pill(self, upload: Upload) -> SafeString:
        """The state in a word."""
        return display.pill(STATES[upload.state])

    @admin.display(description="Size", ordering="size")
    def shown_size(self, upload: Upload) -> str:
        """Bytes for people; of one on its way, how much is there."""
        if upload.state == State.RECEIVING and upload.size:
            return f"{100 * upload.offset // upload.size}\u00a0% of {display.size(upload.size)}"
        return display.size(upload.size)

    @admin.display(description="Owner", ordering="owner")
    def owned_by(self, upload: Upload) -> str:
        """The account, the browser, or nobody."""
        return display.owner(upload.user.get_username() if upload.user else None, upload.owner)

    @admin.display(description="Begun", ordering="created_at")
    def begun(self, upload: Upload) -> SafeString:
        """When it was opened."""
        return display.moment(upload.created_at)

    @admin.display(description="Newest job")
    def job(self, upload: Any) -> SafeString | None:
        """A link to it, which is its state."""
        job: Job | None = upload.newest_job
        if job is None:
            return None
        state = display.job_state(job)
        return format_html(
            '<a class="pill {}" href="{}">{}</a>',
            state.kind,
            reverse("admin:processing_job_change", args=[job.pk]),
            f"{job.processor}: {state.word}",
        )

    def heading(self, obj: Upload) -> tuple[str, Shown]:
        """The file's name and the upload's state."""
        return display.name(obj.name), STATES[obj.state]

    def facts(self, obj: Upload) -> list[Fact]:
        """What, whose, when, and its digest."""
        return [
            ("Size", self.shown_size(obj)),
            ("Type, as declared", display.visible(obj.content_type)),
            ("SHA-256", obj.sha256),
            ("SHA-256, as declared", obj.declared_sha256 if obj.declared_sha256 != obj.sha256 else ""),
            ("Owner", self.row_link("user", obj.user_id, self.owned_by(obj)) or self.owned_by(obj)),
            ("Processor", obj.processor),
            ("Parameters", display.compact(obj.params) if obj.params else ""),
            ("Begun", display.moment(obj.created_at)),
            ("Stored", display.moment(obj.completed_at)),
            ("Expires", display.moment(obj.expires_at) if obj.state == State.RECEIVING else ""),
            ("The file's own time", display.moment(obj.modified)),
            ("Key", display.visible(obj.key)),
            ("Writers so far", str(obj.epoch)),
            ("Upload", str(obj.pk)),
            ("Whole name", display.named(obj.name) if len(obj.name) > LONG_NAME else ""),
        ]

    def more(self, request: HttpRequest, obj: Upload) -> dict[str, Any]:
        """Its error, its jobs and its file."""
        jobs = overview.listed(Job.objects.filter(source=source_of(obj))).order_by("-created_at")[:100]
        here = "admin:uploads_upload_file"
        return {
            "error_message": display.visible(obj.error_message),
            "jobs": [{"row": job, **overview.row(job)} for job in jobs],
            "file_url": reverse(here, args=[obj.pk]) if obj.state == State.COMPLETE else "",
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        """Without what no page shows."""
        return super().get_queryset(request).select_related("user")
