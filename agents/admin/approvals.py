"""Approvals: the question, and its decision."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from netra.agents.models import OPEN, Approval, Decision, Run
from websocket_core.admin import json_text, moments
from websocket_core.admin.lists import links
from websocket_core.admin.lists.filters import ChoiceFilter, GivenFilter, OwnerFilter, row_number
from websocket_core.admin.lists.read_only import ReadOnlyAdmin
from websocket_core.admin.moments import column

DATES = ("created_at", "expires_at")
MOMENTS = tuple(column(name) for name in DATES)
BY = {"user": "the user", "expired": "timeout", "cancelled": "the end of the run"}


def verdict(approval: Approval) -> SafeString:
    """The decision, with its author and its time."""
    decision = _decision(approval)
    if decision is None:
        word = "waiting" if approval.run.status in OPEN else "undecided"
        return format_html('<span class="netra-state is-{}">{}</span>', word, word)
    word = "approved" if decision.approved else ("denied" if decision.by == "user" else decision.by)
    return format_html(
        '<span class="netra-state is-{}">{}</span> <span class="quiet">by {}, {}</span>',
        word,
        word,
        BY.get(decision.by, decision.by),
        moments.show(decision.decided_at),
    )


def _decision(approval: Approval) -> Decision | None:
    return getattr(approval, "decision", None)


def _decided(**how: Any) -> Q:
    """Approvals with such a decision. A subquery, not a join, because the list's own order must come first."""
    return Q(Exists(Decision.objects.filter(pk=OuterRef("pk"), **how)))


class VerdictFilter(ChoiceFilter):
    """The decision."""

    title = "decision"
    parameter_name = "decision"
    options: ClassVar = {
        "waiting": ("Waiting", ~_decided() & Q(Exists(Run.objects.filter(pk=OuterRef("run_id"), status__in=OPEN)))),
        "approved": ("Approved", _decided(approved=True)),
        "denied": ("Denied", _decided(approved=False, by="user")),
        "expired": ("Expired", _decided(by="expired")),
        "cancelled": ("Cancelled with its run", _decided(by="cancelled")),
    }


class RunRowFilter(GivenFilter):
    """Approvals of one run, by the run's primary key."""

    title = "run"
    parameter_name = "run"
    field = "run"
    indexed = True

    def condition(self, value: str) -> Q:
        """The approvals of this run."""
        return Q(run=row_number(value))


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """The newest approvals first."""

    name_field = "approval_id"
    whose_field = "owner_id"
    prefix_fields = ("owner_id", "approval_id")
    equal_fields = ("tool_name", "run__run_id")
    list_display = (
        "tool_name",
        "message_start",
        "verdict",
        "user",
        "run_link",
        *(column(name, short=True) for name in DATES),
    )
    list_filter = (VerdictFilter, OwnerFilter, RunRowFilter)
    list_prefetch = ("run__thread", "decision")
    search_fields = ("approval_id",)
    search_help_text = "An approval id or a user id, complete or its beginning; or a complete tool name or run id."
    fieldsets = (
        (None, {"fields": ("tool_name", "words", "verdict", "user_page", "run_link", "thread_link")}),
        ("Requested call", {"fields": ("pretty_arguments", "kind", "tool_call_id", "arguments_digest")}),
        ("Answer", {"fields": ("decided_by", "decided_at", "pretty_value", "pretty_edited")}),
        ("When", {"fields": (*MOMENTS, "approval_id")}),
    )
    readonly_fields = (
        *("words", "verdict", "user_page", "run_link", "thread_link", "pretty_arguments"),
        *("decided_by", "decided_at", "pretty_value", "pretty_edited", *MOMENTS),
    )

    @admin.display(description="Decision")
    def verdict(self, row: Approval) -> SafeString:
        """The decision, with its author and its time."""
        return verdict(row)

    @admin.display(description="Message")
    def message_start(self, row: Approval) -> str:
        """The question."""
        return json_text.one_line(row.message, 90) or "-"

    @admin.display(description="The agent says")
    def words(self, row: Approval) -> SafeString | str:
        """The question, in a separate block, so that it cannot look like text of this page."""
        return json_text.words(row.message)

    @admin.display(description="Run")
    def run_link(self, row: Approval) -> SafeString | str:
        """The run that asked."""
        return self.to.object_link(row.run, f"{row.run.agent_type} {links.tail(row.run.run_id)}")

    @admin.display(description="Thread")
    def thread_link(self, row: Approval) -> SafeString | str:
        """The thread of the run."""
        return self.to.object_link(row.run.thread, links.cut(str(row.run.thread)))

    @admin.display(description="Arguments")
    def pretty_arguments(self, row: Approval) -> SafeString | str:
        """The arguments of the tool."""
        return json_text.block(row.arguments)

    @admin.display(description="Decided by")
    def decided_by(self, row: Approval) -> str:
        """Who decided."""
        decision = _decision(row)
        if decision is None:
            return "-"
        return f"user {decision.actor_id}" if decision.by == "user" else BY.get(decision.by, decision.by)

    @admin.display(description="Decided at")
    def decided_at(self, row: Approval) -> SafeString | str:
        """When it was decided."""
        decision = _decision(row)
        return moments.show(decision.decided_at) if decision else "-"

    @admin.display(description="Value")
    def pretty_value(self, row: Approval) -> SafeString | str:
        """The value that the person added to the decision."""
        decision = _decision(row)
        return json_text.block(decision.value) if decision else "-"

    @admin.display(description="Edited arguments")
    def pretty_edited(self, row: Approval) -> SafeString | str:
        """The arguments with which the call runs, where the answer changed them."""
        decision = _decision(row)
        return json_text.block(decision.arguments) if decision and decision.arguments else "-"
