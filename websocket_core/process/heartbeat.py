"""This process, as the database knows it."""

from __future__ import annotations

import math
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import connection, transaction

from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.ids import new_id
from websocket_core.models import Connection, Process
from websocket_core.process.lifecycle import lifecycle

BURIED_AT_ONCE = 500  # connections of a dead process that one transaction ends


class ThisProcess:
    """Identity of the running process; forked children get one of their own."""

    def __init__(self) -> None:
        self._id, self._pid = "", 0
        self._beat = -math.inf  # time.monotonic()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what it was for. It stays the same process."""
        self.kind = "command"  # `serve` and `worker` say what they are
        self.delivery_p99: float | None = None  # seconds; goes out with the next heartbeat

    @property
    def process_id(self) -> str:
        """Unique id of this process's life."""
        if self._pid != os.getpid():
            self._id, self._pid = new_id(), os.getpid()
            self._beat = -math.inf
        return self._id

    def is_silent(self) -> bool:
        """Whether it has written no heartbeat for as long as one is good for."""
        return not self.process_id or time.monotonic() - self._beat >= conf.HEARTBEAT_SECONDS

    def beat(self, now: datetime) -> None:
        """Write the heartbeat."""
        # By hand: it is part of the journal's transactions, and the ORM would be the larger half of a small one.
        process_id = self.process_id
        transaction.on_commit(partial(self._have_beaten, time.monotonic()))
        moment = connection.ops.adapt_datetimefield_value(now)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_process SET heartbeat_at = %s, delivery_p99 = %s, stopped_at = NULL "
                "WHERE process_id = %s",  # after a long pause it was taken for dead; it is alive
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
        """The process ends in good order: what it had is gone, and nobody needs to wait for its heartbeat to fail."""
        now = datetime.now(UTC)
        Connection.objects.filter(process_id=self.process_id, disconnected_at=None).update(disconnected_at=now)
        Process.objects.filter(pk=self.process_id).update(stopped_at=now)


this_process = ThisProcess()
lifecycle.on_end(this_process.begin_anew)


async def look_after_processes() -> None:
    """Say that this process lives, if it has said nothing lately, and bury those that do not."""
    if this_process.is_silent():
        await db.write(this_process.beat, datetime.now(UTC))
    if await db.read(dead_processes):
        while await db.write(bury, BURIED_AT_ONCE):
            pass


def dead_processes() -> list[str]:
    """Those that were silent for too long and have not said that they end."""
    silent_since = datetime.now(UTC) - timedelta(seconds=conf.PROCESS_TIMEOUT)
    return list(Process.objects.filter(heartbeat_at__lt=silent_since, stopped_at=None).values_list("pk", flat=True))


def bury(most: int | None = None) -> bool:
    """The dead processes are gone, and with them their connections.

    Args:
        most: connections that one call is about; a server may have had ten thousand.

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
