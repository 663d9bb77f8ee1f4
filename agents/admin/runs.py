"""Runs: input, result, timeline, and an action to stop them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from netra.agents.admin import run_timeline
from netra.agents.admin.approvals import verdict
from netra.agents.admin.usage import usage_page
from netra.agents.ledger.open_runs import is_open
from netra.agents.models import OPEN, Run, RunStatus
from netra.agents.service import request_stop
from netra.agents.timeline import duration
from websocket_core.admin import confirm, json_text
from websocket_core.admin.events import ThreadFilter
from websocket_core.admin.lists import links
from websocket_core.admin.lists.change_list import KeysetChangeList
from websocket_core.admin.lists.filters import ChoiceFilter, Filter, GivenFilter, OwnerFilter
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.admin.lists.read_only import ReadOnlyAdmin, log_action
from websocket_core.admin.moments import column
from websocket_core.models import Process

RECENT = 1000  # recent runs whose agent types are offered as filters
MOMENTS = tuple(column(name) for name in ("created_at", "started_at", "finished_at", "stop_requested_at"))
CREATED = column("created_at", short=True)
LEASE = column("lease_until")
OPEN_CHOICES = ("open", *(status.value for status in OPEN))
REASON = "Stopped by an administrator"


class StatusFilter(ChoiceFilter):
    """The status of the run. Open runs have an index, in the order of their creation."""

    title = "status"
    parameter_name = "status"
    options: ClassVar = {
        "open": ("Not over", is_open()),
        **{
            status.value: (str(status.label), is_open(status) if status in OPEN else Q(status=status.value))
            for status in RunStatus
        },
    }

    @property
    def indexed(self) -> bool:  # type: ignore[override]
        """Only for open runs."""
        return self.value() in OPEN_CHOICES


class AgentFilter(Filter):
    """One type of agent, among those of recent runs. A query over all runs would be too slow."""

    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The types of recent runs, and the chosen one."""
        recent = Run.objects.order_by("-pk").values_list("agent_type", flat=True)[:RECENT]
        chosen = self.value()
        return [(name, name) for name in sorted({*recent, *([chosen] if chosen else [])})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Runs of this agent."""
        return queryset if self.value() is None else queryset.filter(agent_type=self.value())


class WorkerFilter(GivenFilter):
    """Runs that one process holds or held."""

    title = "process"
    parameter_name = "worker"
    field = "worker_id"


def _word(row: Run) -> str:
    being_stopped = row.stop_requested_at is not None and row.status in OPEN
    return str(row.get_status_display()).lower() + (", being stopped" if being_stopped else "")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """The newest runs first."""

    change_list_template = "admin/netra_agents/run/change_list.html"
    stretches: ClassVar[Sequence[Stretch]] = (Stretch("created_at"),)
    period_field = "created_at"
    name_field = "run_id"
    whose_field = "owner_id"
    prefix_fields = ("owner_id", "run_id")
    equal_fields = ("thread__thread_id", "incident")
    list_display = ("name", "agent_type", "state_start", CREATED, "took", "user", "thread_link", "events")
    list_filter = (StatusFilter, AgentFilter, OwnerFilter, ThreadFilter, WorkerFilter)
    list_prefetch = ("thread",)
    search_fields = ("run_id",)
    search_help_text = "A run id or a user id, complete or its beginning; or a complete thread id or incident id."
    actions = ("stop",)
    fieldsets = (
        (None, {"fields": ("agent_type", "state", "user_page", "thread_link", "took", "see")}),
        ("Timeline", {"fields": ("picture",), "classes": ("netra-wide",)}),
        ("Input and result", {"fields": ("pretty_input", "pretty_result")}),
        ("Steps", {"fields": ("steps",), "classes": ("collapse", "netra-wide")}),
        ("Approvals", {"fields": ("approvals",), "classes": ("netra-wide",)}),
        ("When", {"fields": (*MOMENTS, "stop_reason")}),
        ("Usage", {"fields": ("input_tokens", "output_tokens", "total_tokens", "cost")}),
        ("Execution", {"fields": ("run_id", "request_id", "worker", LEASE, "rests", "retried_as_link")}),
    )
    readonly_fields = (
        *("state", "user_page", "thread_link", "took", "see", "picture", "pretty_input", "pretty_result", "steps"),
        *("approvals", "worker", "rests", "retried_as_link", *MOMENTS, LEASE),
    )

    class Media:
        css: ClassVar = {"all": ["netra/timeline.css"]}

    def get_stretches(self, changelist: KeysetChangeList) -> Sequence[Stretch]:
        """Open runs by number, as in their index; others by date."""
        if changelist.params.get("status") in OPEN_CHOICES and changelist.period is None:
            return (Stretch("id"),)
        return self.stretches

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the page of what runs have used."""
        page = self.admin_site.admin_view(partial(usage_page, self))
        return [path("usage/", page, name="netra_agents_run_usage"), *super().get_urls()]

    @admin.display(description="Run")
    def name(self, row: Run) -> SafeString:
        """The id, shortened."""
        return links.name(row.run_id)

    @admin.display(description="Status")
    def state_start(self, row: Run) -> SafeString:
        """The status without the incident."""
        return format_html(
            '<span class="netra-state is-{}">{}</span> <span class="quiet">{}</span>', row.status, _word(row), row.code
        )

    @admin.display(description="Status")
    def state(self, row: Run) -> SafeString:
        """The status as a word and a coloured dot; failures with their code."""
        why = " · ".join(part for part in (row.code, row.incident and f"incident {row.incident}") if part)
        return format_html(
            '<span class="netra-state is-{}">{}</span> <span class="quiet">{}</span>', row.status, _word(row), why
        )

    @admin.display(description="Thread")
    def thread_link(self, row: Run) -> SafeString | str:
        """The thread of the run."""
        return self.to.object_link(row.thread, links.cut(str(row.thread)))

    @admin.display(description="Took")
    def took(self, row: Run) -> str:
        """The time from start to end, or until now."""
        if row.started_at is None:
            return "-"
        end = row.finished_at or datetime.now(UTC)
        words = duration((end - row.started_at).total_seconds())
        return words if row.finished_at is not None else f"{words} so far"

    @admin.display(description="Events")
    def events(self, row: Run) -> SafeString | str:
        """A link to the run's events."""
        target = self._events_url(row)
        if target is None or row.first_seq is None:
            return "-"
        last = "" if row.last_seq is None else f"{row.last_seq}"
        return links.link(target, f"{row.first_seq}-{last}")

    @admin.display(description="See")
    def see(self, row: Run) -> SafeString:
        """Links to the run's events, its approvals and the other runs of its thread."""
        return links.row_of_links(
            [
                ("events", self._events_url(row)),
                ("approvals", self.to.url("netra_agents_approval_changelist", run=row.pk)),
                ("runs of the same thread", self.to.url("netra_agents_run_changelist", thread=row.thread_id)),
            ]
        )

    @admin.display(description="Timeline")
    def picture(self, row: Run) -> SafeString:
        """The run as a picture."""
        return self._timeline(row).picture()

    @admin.display(description="Steps")
    def steps(self, row: Run) -> SafeString | str:
        """The run as a table."""
        return self._timeline(row).table()

    @admin.display(description="Input")
    def pretty_input(self, row: Run) -> SafeString | str:
        """The input."""
        return json_text.block(row.input)

    @admin.display(description="Result")
    def pretty_result(self, row: Run) -> SafeString | str:
        """The result."""
        return json_text.block(row.result)

    @admin.display(description="Approvals")
    def approvals(self, row: Run) -> SafeString | str:
        """The questions to people, with their decisions."""
        found = list(row.approvals.select_related("decision", "run").order_by("pk")[:RECENT])
        if not found:
            return "None were needed."
        return format_html(
            '<ul class="netra-approvals">{}</ul>',
            format_html_join(
                "",
                "<li>{}: {} <span>{}</span></li>",
                ((self.to.object_link(one, one.tool_name), one.message or "-", verdict(one)) for one in found),
            ),
        )

    @admin.display(description="Process")
    def worker(self, row: Run) -> SafeString | str:
        """The process that holds the lease, or was the last to hold it."""
        process = Process.objects.filter(pk=row.worker_id).first() if row.worker_id else None
        return self.to.object_link(process) if process else row.worker_id or "-"

    @admin.display(description="Resting")
    def rests(self, row: Run) -> str:
        """Whether the run waits without occupying a process."""
        return "yes, the run waits without occupying a process" if row.resting else "no"

    @admin.display(description="Retried as")
    def retried_as_link(self, row: Run) -> SafeString | str:
        """The run that was created in its place."""
        return self.to.run(row.owner_id, row.retried_as)

    def offers(self, action: str, row: Run) -> bool:
        """Only a run that is not over can be stopped."""
        return row.status in OPEN

    @admin.action(description="Stop selected runs", permissions=["act"])
    def stop(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """End these runs with `agent_cancelled`, after a confirmation."""
        going = list(rows.filter(status__in=OPEN).select_related("thread")[: confirm.MOST_ROWS])
        if going and not confirm.is_confirmed(request):
            return confirm.ask(
                self,
                request,
                going,
                action="stop",
                question="Stop runs?",
                consequence="They end as cancelled within seconds. Their effects so far remain. This cannot be undone.",
                button="Stop",
                text_field=("reason", f"Reason, shown to the user (“{REASON}” if empty)", 1024),
            )
        reason = request.POST.get("reason", "").strip()[:1024] or REASON
        stopped = [run for run in going if request_stop(run, reason, actor_id=str(request.user.pk))]
        log_action(self, request, stopped, f"Stopped: {reason}")
        if stopped:
            noun = "run is" if len(stopped) == 1 else "runs are"
            self.message_user(request, f"{len(stopped)} {noun} being stopped.", "success")
        else:
            self.message_user(request, "The selected runs are already over.", "warning")
        return confirm.back(request)

    stop.button = "Stop this run"  # type: ignore[attr-defined]

    def _events_url(self, row: Run) -> str | None:
        if row.first_seq is None:
            return None
        last = "" if row.last_seq is None else row.last_seq
        return self.to.url(
            "websocket_core_event_changelist", thread=row.thread_id, run=row.run_id, seq=f"{row.first_seq}-{last}"
        )

    def _timeline(self, row: Any) -> run_timeline.RunTimeline:
        """Read the events once, for both the picture and the table."""
        if not hasattr(row, "_timeline"):
            row._timeline = run_timeline.of_run(row, self.to)
        found: run_timeline.RunTimeline = row._timeline
        return found
