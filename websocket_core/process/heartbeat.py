"""This process as a row in the database: its identity and its heartbeat."""

from __future__ import annotations

import math
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.database.home import connection, on_commit
from websocket_core.ids import new_id
from websocket_core.models import Connection, Process
from websocket_core.process.lifecycle import lifecycle

BURIED_AT_ONCE = 500  # the most connections of a dead process that one transaction ends


class ThisProcess:
    """Identity of the running process. A forked child gets a new one."""

    def __init__(self) -> None:
        self._id, self._pid = "", 0
        self._beat = -math.inf  # time.monotonic()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Reset what the process is for. Its identity stays the same."""
        self.kind = "command"  # `serve` and `worker` set their own
        self.delivery_p99: float | None = None  # seconds; written with the next heartbeat

    @property
    def process_id(self) -> str:
        """Unique id of this process, new after each start and fork."""
        if self._pid != os.getpid():
            self._id, self._pid = new_id(), os.getpid()
            self._beat = -math.inf
        return self._id

    def is_silent(self) -> bool:
        """Whether the last heartbeat is older than `HEARTBEAT_SECONDS`."""
        return not self.process_id or time.monotonic() - self._beat >= conf.HEARTBEAT_SECONDS

    def beat(self, now: datetime) -> None:
        """Write the heartbeat."""
        # Plain SQL: this runs in the journal's transactions, and the ORM would take more than half the time of a small
        # one.
        process_id = self.process_id
        on_commit(partial(self._have_beaten, time.monotonic()))
        moment = connection.ops.adapt_datetimefield_value(now)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_process SET heartbeat_at = %s, delivery_p99 = %s, stopped_at = NULL "
                "WHERE process_id = %s",  # after a long pause, other processes have declared it dead
                [moment, self.delivery_p99, process_id],
            )
            if cursor.rowcount:
                return
        Process.objects.create(
            process_id=process_id,
            kind=self.kind,
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            started_at=now,
            heartbeat_at=now,
        )

    def _have_beaten(self, at: float) -> None:
        self._beat = at

    def retire(self) -> None:
        """End in good order: mark the process and its connections as ended, instead of letting its heartbeat expire."""
        now = datetime.now(UTC)
        Connection.objects.filter(process_id=self.process_id, disconnected_at=None).update(disconnected_at=now)
        Process.objects.filter(pk=self.process_id).update(stopped_at=now)


this_process = ThisProcess()
lifecycle.on_end(this_process.begin_anew)


async def look_after_processes() -> None:
    """Write a heartbeat if one is due, and mark dead processes as stopped."""
    if this_process.is_silent():
        await db.write(this_process.beat, datetime.now(UTC))
    if await db.read(dead_processes):
        while await db.write(bury, BURIED_AT_ONCE):
            pass


def dead_processes() -> list[str]:
    """Ids of the processes whose heartbeat is too old and that have not stopped."""
    silent_since = datetime.now(UTC) - timedelta(seconds=conf.PROCESS_TIMEOUT)
    return list(Process.objects.filter(heartbeat_at__lt=silent_since, stopped_at=None).values_list("pk", flat=True))


def bury(most: int | None = None) -> bool:
    """Mark dead processes as stopped and their connections as closed.

    Args:
        most: the most connections that one call closes. A server may have had ten thousand.

    Returns:
        Whether there is more to do.
    """
    now, process_ids = datetime.now(UTC), dead_processes()
    gone = Connection.objects.filter(process_id__in=process_ids, disconnected_at=None)
    page = list(gone.values_list("pk", flat=True)[:most])
    gone.filter(pk__in=page).update(disconnected_at=now, close_code=1006)
    if most is not None and len(page) == most:
        return True
    Process.objects.filter(pk__in=process_ids).update(stopped_at=now)
    return False
