"""Sockets, open and past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from websocket_core.admin import confirm
from websocket_core.admin.lists import links
from websocket_core.admin.lists.change_list import KeysetChangeList
from websocket_core.admin.lists.filters import ChoiceFilter, GivenFilter, UserFilter
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.admin.lists.read_only import ReadOnlyAdmin, log_action
from websocket_core.admin.moments import column
from websocket_core.connections.disconnect import request_disconnect
from websocket_core.models import Connection, Process
from websocket_core.wire.close_codes import CLOSE_CODES

LIVE = Stretch("connected_at", Q(disconnected_at=None))
CLOSED = Stretch("disconnected_at", Q(disconnected_at__isnull=False))

MOMENTS = tuple(column(name) for name in ("connected_at", "last_seen_at", "close_requested_at", "disconnected_at"))


class StateFilter(ChoiceFilter):
    """Open or past. The index on `disconnected_at` answers it."""

    title = "state"
    parameter_name = "state"
    indexed = True
    options: ClassVar = {"live": ("Live", LIVE.where), "closed": ("Closed", CLOSED.where)}


class CredentialFilter(ChoiceFilter):
    """The kind of credential that identified the user."""

    title = "credential"
    parameter_name = "credential"
    options: ClassVar = {
        kind: (label, Q(credential=kind))
        for kind, label in (
            ("session", "Session cookie"),
            ("token", "Access token"),
            ("oidc", "OIDC token"),
            ("ticket", "Ticket"),
        )
    }


class CloseCodeFilter(ChoiceFilter):
    """Why the connection ended."""

    title = "how it ended"
    parameter_name = "end"
    options: ClassVar = {
        "client": ("By the client", Q(close_code__in=(1000, 1001, 1005))),
        "lost": ("Connection lost (1006)", Q(close_code=1006)),
        "restart": ("Server restart (1012)", Q(close_code=1012)),
        "credentials": ("Credentials ended (4401)", Q(close_code=4401)),
        "slow": ("Too slow (4408)", Q(close_code=4408)),
        "limit": ("A limit (4409, 4413, 4429)", Q(close_code__in=(4409, 4413, 4429))),
        "error": ("An error", Q(close_code__in=(1002, 1003, 1007, 1009, 1011, 4400))),
    }


class ProcessFilter(GivenFilter):
    """Sockets of one server process."""

    title = "server process"
    parameter_name = "process"
    field = "process_id"


class ThreadNameFilter(GivenFilter):
    """Sockets that last worked in a thread with this name. With the user filter, this is a single thread."""

    title = "thread"
    parameter_name = "thread"
    field = "thread_id"


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    """Open connections first, newest first; then past ones, the last closed first."""

    stretches = (LIVE, CLOSED)
    period_field = "connected_at"
    prefix_fields = ("connection_id", "user_id")
    equal_fields = ("thread_id",)
    list_display = (
        *("connection", "state", "user", "thread", "server"),
        *(column("connected_at", "Since", short=True), column("last_seen_at", "Last seen", short=True)),
    )
    list_filter = (StateFilter, CredentialFilter, CloseCodeFilter, UserFilter, ProcessFilter, ThreadNameFilter)
    search_fields = ("connection_id",)
    search_help_text = "A connection id or a user id, complete or its beginning; or a complete thread id."
    actions = ("disconnect",)
    fieldsets = (
        (None, {"fields": ("state", "user_page", "thread", "server", "credential", "client")}),
        ("When", {"fields": (*MOMENTS, "code")}),
        ("Identity", {"fields": ("connection_id",)}),
    )
    readonly_fields = ("state", "user_page", "thread", "server", "code", *MOMENTS)

    def get_stretches(self, changelist: KeysetChangeList) -> Sequence[Stretch]:
        """Only one of the stretches if the list shows only open or only past sockets."""
        state = changelist.params.get("state")
        if changelist.period is None and state in ("live", "closed"):
            return (LIVE,) if state == "live" else (CLOSED,)
        return super().get_stretches(changelist)

    def exact_matches(self, request: HttpRequest, term: str) -> QuerySet[Any] | None:
        """The connection with this id."""
        rows = self.get_queryset(request).filter(pk=term.strip())
        return rows if rows.exists() else None

    def prepare_rows(self, rows: list[Any]) -> None:
        """Also look up the processes of the page. A process may be deleted before its connections."""
        super().prepare_rows(rows)
        processes = Process.objects.in_bulk({row.process_id for row in rows})
        for row in rows:
            row.server_process = processes.get(row.process_id)

    @admin.display(description="Connection")
    def connection(self, row: Connection) -> SafeString:
        """The id, shortened."""
        return links.name(row.connection_id)

    @admin.display(description="State")
    def state(self, row: Connection) -> SafeString:
        """The state as a word and a coloured dot; with the close code for past ones."""
        if row.disconnected_at is not None:
            return format_html(
                '<span class="netra-state is-over" title="{}">closed</span> <span class="quiet">{}</span>',
                self.code(row),
                row.close_code or "",
            )
        word = "live" if row.close_requested_at is None else "closing"
        return format_html('<span class="netra-state is-live">{}</span>', word)

    @admin.display(description="Thread")
    def thread(self, row: Connection) -> SafeString | str:
        """The thread in which the connection last worked."""
        return self.to.thread(row.user_id, row.thread_id)

    @admin.display(description="Server process")
    def server(self, row: Any) -> SafeString | str:
        """The process that holds the socket."""
        if not hasattr(row, "server_process"):
            row.server_process = Process.objects.filter(pk=row.process_id).first()
        process = row.server_process
        return self.to.object_link(process, f"{process.host}:{process.pid}") if process else links.name(row.process_id)

    @admin.display(description="Close code")
    def code(self, row: Connection) -> str:
        """The close code in words."""
        if row.close_code is None:
            return "-"
        known = CLOSE_CODES.get(row.close_code)
        return f"{row.close_code} {known.reason}" if known else str(row.close_code)

    def offers(self, action: str, row: Connection) -> bool:
        """Only open sockets can be closed."""
        return row.disconnected_at is None

    @admin.action(description="Disconnect selected connections", permissions=["act"])
    def disconnect(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """Ask the processes that hold these sockets to close them."""
        live = list(rows.filter(disconnected_at=None)[: confirm.MOST_ROWS])
        asked = request_disconnect([row.connection_id for row in live])
        log_action(self, request, live, "Disconnected.")
        if asked:
            noun = "connection is" if asked == 1 else "connections are"
            self.message_user(request, f"{asked} {noun} being closed. Runs continue; clients may reconnect.", "success")
        else:
            self.message_user(request, "None of the selected connections is still open.", "warning")
        return confirm.back(request)

    disconnect.button = "Disconnect"  # type: ignore[attr-defined]
