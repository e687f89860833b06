"""Workers and API tokens in the admin."""

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.safestring import SafeString

from processing import display, overview
from processing.admin_parts import DateFilter, Fact, ReadOnlyAdmin, StateFilter, Tool, within_limit
from processing.display import Shown
from processing.lifecycle import JobState
from processing.models import ApiToken, Worker


class WorkerStateFilter(StateFilter):
    """All, Alive, Lost, Stopped."""

    states = display.WORKER_STATES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By heartbeat: there is no column for it."""
        chosen = overview.WORKERS.get(self.value() or "")
        return queryset.filter(chosen()) if chosen else queryset


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """The worker processes, as they last reported themselves."""

    list_display = ("process", "state_pill", "running", "queue_names", "heartbeat")
    list_filter = (WorkerStateFilter,)
    search_fields = ("host", "pid", "id__startswith")
    search_help_text = "Host, process id or id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """With the number of jobs in hand."""
        running = Count("jobs", filter=Q(jobs__state=JobState.RUNNING))
        workers: QuerySet[Worker] = super().get_queryset(request).annotate(jobs_running=running)
        return workers

    @admin.display(description="Worker", ordering="host")
    def process(self, worker: Worker) -> str:
        """Host and process id."""
        return display.visible(str(worker))

    @admin.display(description="State")
    def state_pill(self, worker: Worker) -> SafeString:
        """The state in a word."""
        return display.pill(overview.worker_state(worker))

    @admin.display(description="Jobs now", ordering="jobs_running")
    def running(self, worker: Any) -> str:
        """Jobs that it has in hand, of those it takes at once."""
        return f"{worker.jobs_running} of {worker.slots}\u00a0slots"

    @admin.display(description="Queues")
    def queue_names(self, worker: Worker) -> str:
        """The queues it serves."""
        return ", ".join(map(str, worker.queues)) if isinstance(worker.queues, list) else str(worker.queues)

    @admin.display(description="Last heard of", ordering="heartbeat_at")
    def heartbeat(self, worker: Worker) -> SafeString:
        """Its newest heartbeat."""
        return display.moment(worker.heartbeat_at)

    def heading(self, obj: Worker) -> tuple[str, Shown]:
        """Host, process id and state."""
        return self.process(obj), overview.worker_state(obj)

    def facts(self, obj: Worker) -> list[Fact]:
        """Where it runs, and since when."""
        return [
            ("Host", display.visible(obj.host)),
            ("Process id", str(obj.pid)),
            ("Jobs now", self.running(obj)),
            ("Queues", self.queue_names(obj)),
            ("Started", display.moment(obj.started_at)),
            ("Last heard of", display.moment(obj.heartbeat_at)),
            ("Stopped", display.moment(obj.stopped_at)),
            ("Worker", str(obj.pk)),
        ]


class TokenStateFilter(StateFilter):
    """All, Valid, Expired, Revoked."""

    states = display.TOKEN_STATES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the two dates: there is no column for it."""
        over = Q(expires_at__isnull=False, expires_at__lte=Now())
        chosen = {"revoked": Q(revoked_at__isnull=False), "expired": Q(revoked_at=None) & over}
        chosen["valid"] = Q(revoked_at=None) & ~over
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """API tokens, to list and to revoke. `manage.py token` makes them and shows the secret that once."""

    list_display = ("title", "state_pill", "user", "created", "used", "expires")
    list_filter = (TokenStateFilter, ("created_at", DateFilter))
    list_select_related = ("user",)
    search_fields = ("label", "user__username", "id__startswith")
    search_help_text = "Label, account or id"
    actions = ("revoke_tokens",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Safe, and needed: an account's tokens go with it. A deleted token is refused like a revoked one."""
        return request.user.has_perm("processing.delete_apitoken")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change tokens."""
        return request.user.has_perm("processing.change_apitoken")

    @admin.display(description="Token", ordering="label")
    def title(self, token: ApiToken) -> str:
        """Its label."""
        return display.visible(str(token))

    @admin.display(description="State")
    def state_pill(self, token: ApiToken) -> SafeString:
        """The state in a word."""
        return display.pill(display.token_state(token))

    @admin.display(description="Created", ordering="created_at")
    def created(self, token: ApiToken) -> SafeString:
        """When it was made."""
        return display.moment(token.created_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def used(self, token: ApiToken) -> SafeString | str:
        """When it opened a door last."""
        return display.moment(token.last_used_at) or "never"

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, token: ApiToken) -> SafeString | str:
        """When it ends by itself."""
        return display.moment(token.expires_at) or "never"

    def heading(self, obj: ApiToken) -> tuple[str, Shown]:
        """The label and the state."""
        return self.title(obj), display.token_state(obj)

    def facts(self, obj: ApiToken) -> list[Fact]:
        """Everything but its hash."""
        return [
            ("Account", self.row_link("user", obj.user_id, obj.user.get_username())),
            ("Created", display.moment(obj.created_at)),
            ("Last used", display.moment(obj.last_used_at) or "never"),
            ("Expires", display.moment(obj.expires_at) or "never"),
            ("Revoked", display.moment(obj.revoked_at)),
            ("Token", str(obj.pk)),
        ]

    def offered(self, request: HttpRequest, obj: ApiToken) -> list[Tool]:
        """Revoke, once."""
        can = self.has_revoke_permission(request) and not obj.revoked_at
        return [Tool("revoke", "Revoke", "danger")] if can else []

    def perform(self, request: HttpRequest, obj: ApiToken, tool: str) -> str:
        """Back to the token's page."""
        self.revoke_tokens(request, ApiToken.objects.filter(pk=obj.pk))
        return self.url_of(obj)

    @admin.action(description="Revoke the chosen tokens", permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """They are refused from the next request on."""
        done: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for token in within_limit(queryset, left):
            hit = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now())
            if hit:
                self.log_change(request, token, "Revoked.")
            (done if hit else left)["revoked." if hit else "had been revoked before."] += 1
        self.report(request, done, left)
