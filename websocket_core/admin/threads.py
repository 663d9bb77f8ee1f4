"""Conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from websocket_core.admin.lists import links
from websocket_core.admin.lists.filters import ChoiceFilter, OwnerFilter
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.admin.lists.read_only import ReadOnlyAdmin
from websocket_core.admin.moments import column
from websocket_core.models import NOBODY, Thread

MOMENTS = tuple(column(name) for name in ("created_at", "updated_at", "deleted_at"))


class ActivityFilter(ChoiceFilter):
    """Whether a run is active in the thread, and whether its user has deleted it."""

    title = "state"
    parameter_name = "state"
    options: ClassVar = {
        "active": ("A run is active", Q(active_run_id__isnull=False)),
        "idle": ("Idle", Q(active_run_id=None, deleted_at=None)),
        "deleted": ("Deleted", Q(deleted_at__isnull=False)),
    }


@admin.register(Thread)
class ThreadAdmin(ReadOnlyAdmin):
    """The last updated threads first."""

    stretches: ClassVar[Sequence[Stretch]] = (Stretch("updated_at"),)
    period_field = "updated_at"
    name_field = "thread_id"
    whose_field = "owner_id"
    prefix_fields = ("owner_id", "thread_id")
    list_display = ("__str__", "user", "name", "events", "active_run", column("updated_at", short=True))
    list_filter = (ActivityFilter, OwnerFilter)
    search_fields = ("thread_id",)
    search_help_text = "A thread id or a user id, complete or its beginning."
    fieldsets = (
        (None, {"fields": ("title", "user_page", "thread_id", "active_run", "see")}),
        ("Journal", {"fields": ("events", "first_seq", "last_seq", "fence")}),
        ("When", {"fields": MOMENTS}),
    )
    readonly_fields = ("user_page", "active_run", "see", "events", *MOMENTS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Thread]:
        """Without deleted threads that are being removed."""
        found: QuerySet[Thread] = super().get_queryset(request).exclude(owner_id=NOBODY)
        return found

    @admin.display(description="Thread id")
    def name(self, row: Thread) -> SafeString:
        """The id, shortened."""
        return links.name(row.thread_id)

    @admin.display(description="Events")
    def events(self, row: Thread) -> SafeString | str:
        """The number of events, with a link to them."""
        count = max(0, row.last_seq - row.first_seq + 1)
        return links.link(self.to.url("websocket_core_event_changelist", thread=row.pk), f"{count:,}") if count else "0"

    @admin.display(description="Active run")
    def active_run(self, row: Thread) -> SafeString | str:
        """The run that holds the thread."""
        return self.to.run(row.owner_id, row.active_run_id)

    @admin.display(description="See")
    def see(self, row: Thread) -> SafeString:
        """Links to the thread's runs, events and connections."""
        targets = (
            ("runs", self.to.url("netra_agents_run_changelist", thread=row.pk)),
            ("events", self.to.url("websocket_core_event_changelist", thread=row.pk)),
            (
                "connections",
                self.to.url("websocket_core_connection_changelist", user=row.owner_id, thread=row.thread_id),
            ),
        )
        return links.row_of_links(targets)
