"""The journal. It may hold many millions of events, so no page counts them or reads an unlimited number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest
from django.utils.safestring import SafeString

from websocket_core.admin import json_text
from websocket_core.admin.lists import links
from websocket_core.admin.lists.calendar import Period, key_since
from websocket_core.admin.lists.change_list import KeysetChangeList
from websocket_core.admin.lists.filters import ChoiceFilter, GivenFilter, row_number
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.admin.lists.read_only import ReadOnlyAdmin
from websocket_core.admin.moments import column
from websocket_core.models import Event, Thread
from websocket_core.wire.vocabulary import EventType

HEAD = 700  # characters of a frame that a list reads; the ids in it take up to 400
SHOWN = 90  # characters of a frame's data that a list shows
WRITTEN = column("created_at", "Written at", milliseconds=True)
WRITTEN_SHORT = column("created_at", "Written at", milliseconds=True, short=True)
CLOCK_SKEW = timedelta(seconds=5)  # the most by which the clocks of processes may differ


class TypeFilter(ChoiceFilter):
    """One type of event."""

    title = "type"
    parameter_name = "type"
    options: ClassVar = {str(kind): (str(kind), Q(event_type=str(kind))) for kind in EventType}


class ThreadFilter(GivenFilter):
    """The events of one thread, by the primary key of the thread."""

    title = "thread"
    parameter_name = "thread"
    field = "thread"
    indexed = True

    def label(self, value: str) -> str:
        """The thread's title."""
        return str(Thread.objects.filter(pk=row_number(value)).first() or value)

    def condition(self, value: str) -> Q:
        """The events of this thread."""
        return Q(thread=row_number(value))


class RunFilter(GivenFilter):
    """The events of one run. No index has runs, so links add the thread and the range of sequence numbers."""

    title = "run"
    parameter_name = "run"
    field = "run_id"

    def label(self, value: str) -> str:
        """The run's id."""
        return links.short(value)


class RangeFilter(GivenFilter):
    """A range of sequence numbers in a thread: `7-20`, `7-` or `-20`."""

    title = "sequence numbers"
    parameter_name = "seq"

    @property
    def indexed(self) -> bool:  # type: ignore[override]
        """Only within a thread."""
        return "thread" in self.request.GET

    def condition(self, value: str) -> Q:
        """The events in this range."""
        first, _, last = value.partition("-")
        found = Q()
        if first:
            found &= Q(seq__gte=row_number(first))
        if last:
            found &= Q(seq__lte=row_number(last))
        return found


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The newest events first; in a single thread, by sequence number."""

    stretches: ClassVar[Sequence[Stretch]] = (Stretch("id"),)
    search_bound = 20_000
    may_search_everything = False
    period_field = "created_at"
    equal_fields = ("run_id", "thread__thread_id", "thread__owner_id")
    list_display = ("number", "event_type", "seq", WRITTEN_SHORT, "thread_link", "run_link", "user", "data")
    list_filter = (TypeFilter, ThreadFilter, RangeFilter, RunFilter)
    list_prefetch = ("thread",)
    search_fields = ("id",)
    search_help_text = "The number of an event; or a complete run id, thread id or user id, among the newest events."
    fieldsets = (
        (None, {"fields": ("event_type", "seq", "user_page", "thread_link", "run_page", WRITTEN, "neighbours")}),
        ("Frame, as it was sent", {"fields": ("pretty_frame",)}),
    )
    readonly_fields = ("user_page", "thread_link", "run_page", WRITTEN, "neighbours", "pretty_frame")

    def whose(self, row: Event) -> str | None:
        """The owner of the event's thread."""
        return row.thread.owner_id

    def get_stretches(self, changelist: KeysetChangeList) -> Sequence[Stretch]:
        """By sequence number within a thread, otherwise in the order of writing. Never by date, which has no index."""
        return (Stretch("seq" if "thread" in changelist.params else "id"),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the frames, which may be large. Lists show only their beginning."""
        found: QuerySet[Any] = super().get_queryset(request).defer("frame").annotate(head=Substr("frame", 1, HEAD))
        return found

    def period_condition(self, period: Period, params: Mapping[str, str]) -> Q:
        """The events of a period. Numbers grow with the time of writing, so bisection finds the first and the last."""
        thread = params.get("thread")
        key = "id" if thread is None else "seq"
        rows = Event.objects.all() if thread is None else Event.objects.filter(thread=row_number(thread))
        first = key_since(rows, key, period.start - CLOCK_SKEW)
        after = key_since(rows, key, period.end + CLOCK_SKEW)
        if first is None:
            return Q(pk__in=[])
        found = Q(**{f"{key}__gte": first}, created_at__gte=period.start, created_at__lt=period.end)
        return found if after is None else found & Q(**{f"{key}__lt": after})

    def time_span(self, rows: QuerySet[Any]) -> tuple[datetime, datetime] | None:
        """The dates of the first and the last event written."""
        dates = rows.order_by().values_list("created_at", flat=True)
        first, last = dates.order_by("id").first(), dates.order_by("-id").first()
        return (first, last) if first is not None and last is not None else None

    def about_total(self) -> int | None:
        """An estimate from the first and the last number. Deleted threads leave gaps."""
        numbers = Event.objects.values_list("id", flat=True)
        first, last = numbers.order_by("id").first(), numbers.order_by("-id").first()
        return 0 if first is None or last is None else last - first + 1

    def exact_matches(self, request: HttpRequest, term: str) -> QuerySet[Any] | None:
        """The event with this number."""
        term = term.strip()
        if not (term.isascii() and term.isdigit() and len(term) < 19):
            return None
        rows = self.get_queryset(request).filter(pk=int(term))
        return rows if rows.exists() else None

    @admin.display(description="Event")
    def number(self, row: Event) -> str:
        """The event's number in the journal."""
        return str(row.pk)

    @admin.display(description="Thread")
    def thread_link(self, row: Event) -> SafeString | str:
        """The event's thread."""
        return self.to.object_link(row.thread, links.cut(str(row.thread)))

    @admin.display(description="Run")
    def run_link(self, row: Event) -> SafeString | str:
        """The event's run."""
        return self.to.run(row.thread.owner_id, row.run_id)

    @admin.display(description="Run")
    def run_page(self, row: Event) -> SafeString | str:
        """The event's run with its complete id."""
        return self.to.run(row.thread.owner_id, row.run_id, row.run_id)

    @admin.display(description="Data")
    def data(self, row: Any) -> str:
        """The beginning of the frame's data."""
        data = row.head.partition('"data":')[2].removesuffix("}")
        return json_text.one_line(data, SHOWN)

    @admin.display(description="Neighbours")
    def neighbours(self, row: Event) -> SafeString | str:
        """The events before and after this one in the thread, and the thread's list of events."""
        found = Event.objects.filter(thread=row.thread_id, seq__in=(row.seq - 1, row.seq + 1)).defer("frame")
        beside = [
            (
                f"{'‹ ' if other.seq < row.seq else ''}{other}{' ›' if other.seq > row.seq else ''}",
                self.to.page_url(Event, other.pk),
            )
            for other in found.order_by("seq")
        ]
        listing = self.to.url("websocket_core_event_changelist", thread=row.thread_id)
        return links.row_of_links([*beside, ("all events of the thread", listing)])

    @admin.display(description="Frame")
    def pretty_frame(self, row: Event) -> SafeString | str:
        """The frame, indented and escaped."""
        return json_text.block(row.frame)
