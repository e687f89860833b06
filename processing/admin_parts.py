"""What the admin's rooms share: rows that cannot be edited, a page of facts, states as chips, actions with a report."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import CheckboxInput, Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from processing import display
from processing.errors import NotFound

ACTION_LIMIT = 1000
"""Rows of one action: it runs inside a request."""

LONG_NAME = 100
"""Characters from which on a heading may not hold a name: the details then give it whole."""

Fact = tuple[str, str | SafeString]
"""A label and its value; plain strings are escaped by the template."""


class Tool(NamedTuple):
    """A button on a row's page: it posts to the admin URL `name` of the row."""

    name: str
    label: str
    kind: str = ""


class StateFilter(admin.SimpleListFilter):
    """The states as a row of chips above the list, each with its count."""

    title = "state"
    parameter_name = "state"
    template = "admin/filter_chips.html"
    chips = True
    states: Mapping[str, display.Shown] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every state, whether a row is in it or not."""
        return [(str(state), shown.word) for state, shown in self.states.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in the chosen state."""
        return queryset.filter(state=self.value()) if self.value() else queryset

    def choices(self, changelist: ChangeList) -> Iterable[dict[str, Any]]:  # type: ignore[override]
        """One chip for all and one for each state: display, count, query_string, selected."""
        found = self.get_facet_queryset(changelist)
        counts = [found[f"{number}__c"] for number in range(len(self.lookup_choices))]
        everything = {"display": "All", "count": sum(counts), "selected": self.value() is None}
        yield everything | {"query_string": changelist.get_query_string(remove=[self.parameter_name])}
        for (state, word), count in zip(self.lookup_choices, counts, strict=True):
            yield {
                "display": word,
                "count": count,
                "selected": self.value() == state,
                "query_string": changelist.get_query_string({self.parameter_name: state}),
            }


class DateFilter(admin.DateFieldListFilter):
    """Django's, in a word that people use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "date"


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows that services alone write: to look at, never to add, edit or delete here.

    A deleted row would leave its files behind, and a running worker would meet its absence.
    """

    change_form_template = "admin/facts.html"
    list_per_page = 50
    empty_value_display = "\u2013"
    show_full_result_count = False
    show_facets = admin.ShowFacets.ALWAYS

    @property
    def media(self) -> Media:
        """The one script of Django's that a list needs; the others, jQuery among them, are for forms."""
        return Media(js=["admin/js/actions.js"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never; looking needs the view permission."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def action_checkbox(self, obj: Any) -> SafeString:
        """Django's puts the raw name into the label that screen readers speak."""
        label = f"Choose {self.heading(obj)[0]}"
        attributes = {"class": "action-select", "aria-label": label}
        return CheckboxInput(attributes, lambda _: False).render(ACTION_CHECKBOX_NAME, str(obj.pk))

    def facts(self, obj: Any) -> list[Fact]:
        """What the row's page says of it, in order."""
        raise NotImplementedError

    def heading(self, obj: Any) -> tuple[str, display.Shown]:
        """The row's name and its state."""
        raise NotImplementedError

    def offered(self, request: HttpRequest, obj: Any) -> list[Tool]:
        """The buttons for this person on this row."""
        return []

    def perform(self, request: HttpRequest, obj: Any, tool: str) -> str:
        """Do what a button says; the URL to go to. The button was in `offered`."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        """One more for the buttons of a row's page."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_tool"
        view = self.admin_site.admin_view(self._tool_view)
        return [path("<path:object_id>/do/<slug:tool>/", view, name=name), *super().get_urls()]

    def _tool_view(self, request: HttpRequest, object_id: str, tool: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj = self.get_object(request, object_id)
        if obj is None or not self.has_view_permission(request, obj):
            raise PermissionDenied
        if tool in [offer.name for offer in self.offered(request, obj)]:
            return HttpResponseRedirect(self.perform(request, obj, tool))
        self.message_user(request, "This is no longer possible, or not allowed to you.", messages.WARNING)
        return HttpResponseRedirect(self.url_of(obj))

    def url_of(self, obj: Model) -> str:
        """The row's page in the admin."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])

    def row_link(self, kind: str, pk: Any, text: str = "") -> str | SafeString:
        """A link to a row's page by its model's name; only text where this admin has none, "" without a key."""
        if not pk:
            return ""
        text = text or f"{kind.capitalize()} {pk}"
        for model in self.admin_site._registry:
            if model._meta.model_name == kind:
                url = reverse(f"admin:{model._meta.app_label}_{kind}_change", args=[pk])
                return format_html('<a href="{}">{}</a>', url, text)
        return text

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The page of facts in place of a form."""
        obj = kwargs.get("obj")
        name, state = self.heading(obj)
        context.update(name=name, state=state, facts=self.facts(obj), tools=self.offered(request, obj))
        context.update(self.more(request, obj))
        return super().render_change_form(request, context, *args, **kwargs)

    def more(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the page's own template needs beyond the facts."""
        return {}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's, with the name made safe to look at."""
        obj = self.get_object(request, object_id)
        named = {} if obj is None else {"name": self.heading(obj)[0], "title": f"History of {self.heading(obj)[0]}"}
        return super().history_view(request, object_id, {**named, **(extra_context or {})})

    def report(self, request: HttpRequest, done: Counter[str], left: Counter[str]) -> None:
        """Tell how many rows an action did, and why it left the others: {what follows the number: number}."""
        for level, lines in ((messages.SUCCESS, done), (messages.WARNING, left)):
            if lines:
                self.message_user(request, " ".join(f"{number} {text}" for text, number in lines.items()), level)


def or_404(serve: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """What `serve` gives; a file that its storage has lost is a page not found."""
    try:
        return serve()
    except NotFound as error:
        raise Http404(error.message) from None


def within_limit(rows: QuerySet[Any], left: Counter[str]) -> Iterable[Any]:
    """The first rows of an action's choice; how many are beyond the limit goes into `left`."""
    if (beyond := rows.count() - ACTION_LIMIT) > 0:
        left[f"left for another time: one action takes {ACTION_LIMIT} rows."] = beyond
    return rows[:ACTION_LIMIT]
