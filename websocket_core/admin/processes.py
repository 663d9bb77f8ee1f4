"""Server and worker processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from websocket_core.admin.lists import links
from websocket_core.admin.lists.filters import ChoiceFilter
from websocket_core.admin.lists.keyset import Stretch
from websocket_core.admin.lists.read_only import ReadOnlyAdmin
from websocket_core.admin.moments import column
from websocket_core.conf import conf
from websocket_core.models import Connection, Process

MOMENTS = tuple(column(name) for name in ("started_at", "heartbeat_at", "stopped_at"))


def is_alive(process: Process, now: datetime) -> bool:
    """Whether the process has a recent heartbeat and has not stopped."""
    return process.stopped_at is None and process.heartbeat_at > now - timedelta(seconds=conf.PROCESS_TIMEOUT)


class KindFilter(ChoiceFilter):
    """The kind of process."""

    title = "kind"
    parameter_name = "kind"
    options: ClassVar = {kind: (kind.capitalize(), Q(kind=kind)) for kind in ("server", "worker", "command")}


@admin.register(Process)
class ProcessAdmin(ReadOnlyAdmin):
    """The latest heartbeat first."""

    stretches = (Stretch("heartbeat_at"),)
    prefix_fields = ("process_id", "host")
    list_display = (
        "__str__",
        "state",
        "kind",
        "host",
        "pid",
        column("started_at", short=True),
        column("heartbeat_at", short=True),
        "live_connections",
    )
    list_filter = (KindFilter,)
    search_fields = ("process_id",)
    search_help_text = "A process id or a host name, complete or its beginning."
    fields = ("process_id", "state", "kind", "host", "pid", *MOMENTS, "connections")
    readonly_fields = ("state", "connections", *MOMENTS)

    def prepare_rows(self, rows: list[Any]) -> None:
        """Count the open sockets of all processes of the page in one query."""
        open_sockets = Connection.objects.filter(disconnected_at=None, process_id__in=[row.pk for row in rows])
        counts = dict(open_sockets.order_by().values_list("process_id").annotate(Count("pk")))
        for row in rows:
            row.live = counts.get(row.pk, 0)

    @admin.display(description="State")
    def state(self, row: Process) -> str:
        """Alive, stopped, or silent for too long."""
        now = datetime.now(UTC)
        if is_alive(row, now):
            return "alive"
        if row.stopped_at is not None:
            return "stopped"
        return f"lost: silent for {timesince(row.heartbeat_at, now)}"

    @admin.display(description="Live connections")
    def live_connections(self, row: Any) -> SafeString | str:
        """The number of open connections, with a link to them."""
        target = self.to.url("websocket_core_connection_changelist", state="live", process=row.pk)
        return links.link(target, str(row.live)) if row.live else "0"

    @admin.display(description="Connections")
    def connections(self, row: Process) -> SafeString | str:
        """A link to the process's connections."""
        return links.link(
            self.to.url("websocket_core_connection_changelist", process=row.pk), "Connections of this process"
        )
