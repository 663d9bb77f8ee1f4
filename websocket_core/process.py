"""This process, as the database knows it."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from websocket_core.ids import new_id
from websocket_core.models import Process


class ThisProcess:
    """Identity of the running process; forked children get one of their own."""

    def __init__(self) -> None:
        self.kind = "command"  # `serve` and `worker` say what they are
        self._id, self._pid = "", 0

    @property
    def process_id(self) -> str:
        """Unique id of this process's life."""
        if self._pid != os.getpid():
            self._id, self._pid = new_id(), os.getpid()
        return self._id

    def beat(self, now: datetime, batch: int | None = None) -> None:
        """Write the heartbeat, and with it the number of the batch that the current transaction commits."""
        values = {"heartbeat_at": now} if batch is None else {"heartbeat_at": now, "batch": batch}
        if not Process.objects.filter(pk=self.process_id).update(**values):
            Process.objects.create(
                process_id=self.process_id,
                kind=self.kind,
                host=socket.gethostname()[:255],
                pid=os.getpid(),
                started_at=now,
                heartbeat_at=now,
                batch=batch or 0,
            )

    def committed_batch(self) -> int:
        """Number of the newest batch that is known to be committed."""
        return Process.objects.filter(pk=self.process_id).values_list("batch", flat=True).first() or 0


this_process = ThisProcess()
