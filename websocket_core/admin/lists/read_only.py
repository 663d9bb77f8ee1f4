"""The base class of every Netra admin: nothing can be edited, and no list is too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from websocket_core.admin.lists import links
from websocket_core.admin.lists.calendar import Period
from websocket_core.admin.lists.change_list import KeysetChangeList, ListedAdmin
from websocket_core.admin.lists.filters import Filter
from websocket_core.admin.lists.honest_text import undeceive_page
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.auth.accounts import users_by_id

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

PAGE = 50


class ReadOnlyAdmin(_ModelAdmin):
    """Shows rows that only Netra itself writes.

    The view permission allows looking at them, the change permission also allows the actions.

    Attributes:
        stretches: the order of the list.
        search_bound: the most rows that a search or an unindexed filter reads for one page.
        may_search_everything: whether a search may be repeated without that limit. Not for tables that grow with every
            event.
        period_field: the indexed date field for navigation by date; `None` for none.
        name_field: the field with the name that clients use. Together with `whose_field` it identifies a row
            (`by-id/`).
        whose_field: the field with the user id of a row: its owner or its actor.
        prefix_fields: a search finds rows in which one of these begins with the term.
        equal_fields: a search finds rows in which one of these equals the term.
        list_prefetch: relations that cells of the list use. They are read for a whole page at once and never joined:
            with a join, the database may begin with the other table and lose the order of the list.
    """

    stretches: ClassVar[Sequence[Stretch]] = (Stretch("id"),)
    search_bound: ClassVar[int] = 100_000
    may_search_everything: ClassVar[bool] = True
    period_field: ClassVar[str | None] = None
    name_field: ClassVar[str | None] = None
    whose_field: ClassVar[str] = "user_id"
    prefix_fields: ClassVar[Sequence[str]] = ()
    equal_fields: ClassVar[Sequence[str]] = ()
    list_prefetch: ClassVar[Sequence[str]] = ()

    list_per_page = PAGE
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a facet needs a COUNT for every choice
    sortable_by = ()  # the order is that of the index
    change_list_template = "admin/websocket_core/change_list.html"

    class Media:
        css: ClassVar = {"all": ["websocket_core/admin.css"]}

    # --- permissions

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Rows cannot be added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows cannot be edited here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows cannot be deleted here."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run actions: Django's permission to change rows of this model."""
        user = request.user
        return bool(user.is_active and user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    # --- the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Lists have keyset pages."""
        return KeysetChangeList

    def get_stretches(self, changelist: KeysetChangeList) -> Sequence[Stretch]:
        """The order of the list. An admin may choose it by the filters."""
        if changelist.period is not None and self.period_field is not None:
            return (Stretch(self.period_field),)
        return self.stretches

    def period_condition(self, period: Period, params: Mapping[str, str]) -> Q:
        """The condition for a year, month, day or hour. `params` is the list's query string."""
        if self.period_field is None:
            return Q()
        return Q(**{f"{self.period_field}__gte": period.start, f"{self.period_field}__lt": period.end})

    def time_span(self, rows: QuerySet[Any]) -> tuple[datetime, datetime] | None:
        """The dates of the first and the last row; `None` if there are no rows, or no date field to navigate by."""
        if self.period_field is None:
            return None
        dates = rows.order_by().values_list(self.period_field, flat=True)
        first, last = dates.order_by(self.period_field).first(), dates.order_by(f"-{self.period_field}").first()
        return (first, last) if first is not None and last is not None else None

    def about_total(self) -> int | None:
        """An estimate of the number of rows, or `None` if it would need a COUNT."""
        return None

    def prepare_rows(self, rows: list[Any]) -> None:
        """Look up what the cells of a whole page need: relations, and the Django users for the user ids."""
        prefetch_related_objects(rows, *self.list_prefetch)
        users = users_by_id(user_id for row in rows if (user_id := self.whose(row)) is not None)
        for row in rows:
            row.account = users.get(self.whose(row) or "")

    def whose(self, row: Any) -> str | None:
        """The user id of a row: its owner or its actor."""
        return getattr(row, self.whose_field, None)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters' parameters. Django would allow lookups that may read a whole table."""
        filters = cast("Iterable[type[Filter]]", self.list_filter)
        return lookup in {one.parameter_name for one in filters}

    # --- search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows in which one of the search fields equals the term or begins with it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        condition = Q()
        for name in self.prefix_fields:
            condition |= Q(**{f"{name}__startswith": term})
        for name in self.equal_fields:
            condition |= Q(**{name: term})
        return queryset.filter(condition), False

    def exact_matches(self, request: HttpRequest, term: str) -> QuerySet[Any] | None:
        """Rows that an index finds by the term alone, however old they are; `None` if there are none."""
        return None

    # --- pages

    @property
    def to(self) -> links.SiteLinks:
        """Links to pages of the site that this admin is registered with."""
        return links.SiteLinks(self.admin_site.name)

    @admin.display(description="User")
    def user(self, row: Any) -> SafeString | str:
        """The user, with a link to the user's rows, for lists."""
        user_id = self.whose(row)
        if user_id is None:
            return "-"
        return format_html(
            '<a href="?{}">{}</a>', links.query(user=user_id), links.person(user_id, getattr(row, "account", None))
        )

    @admin.display(description="User")
    def user_page(self, row: Any) -> SafeString | str:
        """The user, with links to all of the user's lists, for pages."""
        user_id = self.whose(row)
        if user_id is None:
            return "-"
        account = users_by_id([user_id]).get(user_id)
        return format_html(
            '<span class="netra-user">{}</span> {}', self.to.account(user_id, account), self.to.lists_of_user(user_id)
        )

    def get_urls(self) -> list[URLPattern]:
        """Django's URLs, and one that finds a row by the ids that clients know."""
        if self.name_field is None:
            return super().get_urls()
        name = f"{self.opts.app_label}_{self.opts.model_name}_by_id"
        view: Callable[..., HttpResponseBase] = self.admin_site.admin_view(self.by_id_view)
        return [path("by-id/", view, name=name), *super().get_urls()]

    def by_id_view(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the row with this `user` and `id`, or to the list if there is none."""
        wanted = {self.whose_field: request.GET.get("user", ""), f"{self.name_field}": request.GET.get("id", "")}
        pk = self.model._default_manager.filter(**wanted).values_list("pk", flat=True).first()
        if pk is not None:
            return redirect(self.to.page_url(self.model, pk) or ".")
        self.message_user(request, f"This {self.opts.verbose_name} no longer exists.", "warning")
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return redirect(self.to.url(name, user=request.GET.get("user", "")) or "..")

    def offers(self, action: str, row: Any) -> bool:
        """Whether an action would change the row. If so, the row's page has a button for it."""
        return True

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A page, with the list's actions as buttons."""
        row = self.get_object(request, unquote(object_id)) if object_id is not None else None
        buttons = [
            {"name": name, "label": getattr(action[0], "button", action[2])}
            for name, action in self.get_actions(request).items()
            if action is not None and row is not None and self.offers(name, row)
        ]
        context = {"action_buttons": buttons, **(extra_context or {})}
        return undeceive_page(super().changeform_view(request, object_id, form_url, context))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A list on which no text can deceive."""
        return undeceive_page(super().changelist_view(request, extra_context))


if TYPE_CHECKING:
    _IS_WHAT_A_LIST_NEEDS: type[ListedAdmin] = ReadOnlyAdmin  # two metaclasses: it cannot inherit from the protocol


def log_action(model_admin: _ModelAdmin, request: HttpRequest, rows: Iterable[Model], message: str) -> None:
    """Record an action in Django's admin log."""
    for row in rows:
        model_admin.log_change(request, row, message)
