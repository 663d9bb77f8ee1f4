"""Django's change list with keyset pages: the same look, filters and search, but no COUNT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, cast

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from websocket_core.admin.lists.calendar import Period, choices
from websocket_core.admin.lists.filters import Filter
from websocket_core.admin.lists.keyset import Cursor, KeysetList, Page, Stretch

OLDER, NEWER, PERIOD, EVERYTHING = "older", "newer", "on", "everything"


class ListedAdmin(Protocol):
    """The model admin as the list needs it: its order, and the searches that an index answers.

    Attributes:
        search_bound: the most rows that a search or an unindexed filter reads for one page.
        may_search_everything: whether a search may be repeated without that limit.
    """

    search_bound: ClassVar[int]
    may_search_everything: ClassVar[bool]

    def get_stretches(self, changelist: KeysetChangeList) -> Sequence[Stretch]:
        """The order of the list."""

    def exact_matches(self, request: HttpRequest, term: str) -> QuerySet[Any] | None:
        """Rows that an index finds by the term alone, however old they are; `None` if there are none."""

    def period_condition(self, period: Period, params: Mapping[str, str]) -> Q:
        """The condition for a year, month, day or hour. `params` is the list's query string."""

    def time_span(self, rows: QuerySet[Any]) -> tuple[datetime, datetime] | None:
        """The dates of the first and the last row; `None` if there are no rows, or no date field to navigate by."""

    def about_total(self) -> int | None:
        """An estimate of the number of rows, or `None` if it would need a COUNT."""

    def prepare_rows(self, rows: list[Any]) -> None:
        """Look up what the cells of a whole page need."""


class KeysetChangeList(ChangeList):
    """A change list whose pages are found by key. Its model admin is a `ListedAdmin`."""

    page: Page
    period: Period | None = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        """All search and filter conditions. `indexed` has only those that an index answers."""
        # A position belongs to one order and one set of filters, so links that change those must not keep it.
        for name in (OLDER, NEWER):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        admin = self._admin
        try:
            self.period = Period.parse(request.GET[PERIOD]) if PERIOD in request.GET else None
        except ValueError as error:
            raise IncorrectLookupParameters(str(error)) from error
        found = super().get_queryset(request, exclude_parameters)
        exact = admin.exact_matches(request, self.query) if self.query else None
        if exact is not None:
            self.bounded = False
            self.indexed = self.apply_select_related(exact)
            return self.indexed.order_by("-pk")
        self.indexed = self.root_queryset
        self.bounded = bool(self.query)
        for spec in cast("list[Filter]", self.filter_specs):
            if not spec.is_active:
                continue
            if spec.indexed:
                narrowed = spec.queryset(request, self.indexed)
                self.indexed = self.indexed if narrowed is None else narrowed
            else:
                self.bounded = True
        if self.period is not None:
            when = admin.period_condition(self.period, self.params)
            self.indexed, found = self.indexed.filter(when), found.filter(when)
        self.bounded = self.bounded and not (admin.may_search_everything and EVERYTHING in request.GET)
        return found

    def get_filters(self, request: HttpRequest) -> Any:
        """As in Django, but an unknown parameter is only a wrong address, not an attack to be logged."""
        try:
            return super().get_filters(request)
        except DisallowedModelAdminLookup as error:
            raise IncorrectLookupParameters(str(error)) from error

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The part of the query string that belongs to the filters."""
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (PERIOD, EVERYTHING)}

    def get_results(self, request: HttpRequest) -> None:
        """Read one page."""
        admin = self._admin
        stretches = admin.get_stretches(self)
        rows = KeysetList(
            self.indexed, self.queryset, stretches, self.list_per_page, admin.search_bound if self.bounded else None
        )
        try:
            if OLDER in request.GET:
                self.page = rows.older(Cursor.decode(request.GET[OLDER], self.model, stretches))
            elif NEWER in request.GET:
                self.page = rows.newer(Cursor.decode(request.GET[NEWER], self.model, stretches))
            else:
                self.page = rows.first()
        except ValueError as error:
            raise IncorrectLookupParameters(str(error)) from error
        admin.prepare_rows(self.page.rows)
        self.result_list = self.page.rows
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.page.rows)
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.page.rows, self.list_per_page)

    @property
    def is_narrowed(self) -> bool:
        """Whether there is a search, a filter or a period."""
        return bool(self.query or self.has_active_filters or self.period)

    @property
    def newest_url(self) -> str | None:
        """The address of the first page, or `None` on that page."""
        return self.get_query_string() if self.page.newer else None

    @property
    def newer_url(self) -> str | None:
        """The address of the page with newer rows."""
        return self.get_query_string({NEWER: self.page.newer.encode()}) if self.page.newer else None

    @property
    def older_url(self) -> str | None:
        """The address of the page with older rows."""
        return self.get_query_string({OLDER: self.page.older.encode()}) if self.page.older else None

    @property
    def everything_url(self) -> str | None:
        """The address of the same search without a limit, if the table is small enough."""
        if not (self.bounded and self.page.stopped and self._admin.may_search_everything):
            return None
        return self.get_query_string({EVERYTHING: "1"})

    @property
    def without_search_url(self) -> str:
        """The address of the same list without the search."""
        return self.get_query_string(remove=["q", EVERYTHING])

    @property
    def search_bound(self) -> int:
        """The most rows that were read for this page."""
        return self._admin.search_bound

    @property
    def about_total(self) -> int | None:
        """An estimate of the number of all rows, or `None` if it would need a COUNT."""
        return None if self.is_narrowed else self._admin.about_total()

    def calendar(self) -> dict[str, Any] | None:
        """Choices for the date line above the list, as `admin/date_hierarchy.html` expects them."""
        span = self._admin.time_span(self.root_queryset)
        if span is None:
            return None
        found: list[dict[str, str]] = [
            {"link": self.get_query_string({PERIOD: str(period)}), "title": period.title}
            for period in choices(*span, within=self.period)
        ]
        back = None
        if self.period is not None:
            parent = self.period.parent
            title = parent.title if parent else "All dates"
            back = {"link": self.get_query_string({PERIOD: str(parent) if parent else None}), "title": title}
            found = found or [{"title": self.period.title}]
        return {"show": True, "back": back, "choices": found}

    @property
    def _admin(self) -> ListedAdmin:
        return cast("ListedAdmin", self.model_admin)
