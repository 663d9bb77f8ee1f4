"""A PostgreSQL connection with time limits: for the server's answers, and for a client that has stopped.

TCP detects a host that disappeared in half a minute at best, and not at all if something in between accepts the data
and forwards nothing (a proxy, a load balancer, a pooler that hangs). Until then, a waiting statement blocks everything
queued behind it: in a journal, every event of the process. So servers and workers give up on a silent database after
`NETRA_DATABASE_SILENCE_SECONDS`, as if it had closed the connection; the operation is retried on a new connection.

Conversely, a process that is disconnected or stopped in the middle of a transaction keeps its rows locked, and other
processes wait for them. So PostgreSQL is told to end such a session after `NETRA_DATABASE_IDLE_SECONDS`, and to check
whether the client is still there. A session that waits for a row gives up before its client does: otherwise it would
keep waiting without a client, and each further attempt would add another such session.

Commands have no limit (a migration may build an index for an hour).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Self

import psycopg

from websocket_core.conf import conf

INTERVAL = 0.1  # seconds between looks at the clock; psycopg's own
LOCK_SHARE = 0.75  # of the time for an answer that a statement may wait for a lock
SESSION = (
    "SELECT set_config('idle_in_transaction_session_timeout', %s, false), set_config('lock_timeout', %s, false),"
    " set_config('tcp_keepalives_idle', '15', false),"
    " set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)"
)


class SilentDatabase(psycopg.OperationalError):
    """The database has not answered; the statement may have been executed."""


class SessionEnded(psycopg.OperationalError):
    """PostgreSQL has ended the session because this process did not continue its transaction; nothing was written."""


class GuardedConnection(psycopg.Connection[Any]):
    """The connection class of Netra's pool."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """See psycopg. A session of a serving process ends when it is idle within a transaction for too long."""
        connection = super().connect(conninfo, **options)
        if _serves():
            limits = (conf.DATABASE_IDLE_SECONDS, conf.DATABASE_SILENCE_SECONDS * LOCK_SHARE)
            try:
                connection.execute(SESSION, [str(int(max(0.0, seconds) * 1000)) for seconds in limits])
            except BaseException:
                connection.close()
                raise
        return connection

    def wait(self, gen: Generator[Any, Any, Any], interval: float = INTERVAL, *args: Any, **options: Any) -> Any:
        """See psycopg.

        Raises:
            SilentDatabase: there was no answer within `NETRA_DATABASE_SILENCE_SECONDS`; the connection is closed.
            SessionEnded: this process was stopped for too long; the connection is closed.
        """
        seconds = conf.DATABASE_SILENCE_SECONDS if _serves() else 0
        try:
            return super().wait(_bounded(gen, seconds) if seconds > 0 else gen, interval, *args, **options)
        except SilentDatabase:
            self.pgconn.finish()
            raise
        except psycopg.errors.IdleInTransactionSessionTimeout as error:
            # psycopg counts it as an internal error; callers that try again after a lost connection must see it as one.
            self.pgconn.finish()
            raise SessionEnded(str(error)) from None


def _serves() -> bool:
    from websocket_core.process.heartbeat import this_process  # settings name this class before there are models

    return this_process.kind != "command"


def _bounded(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """Drive psycopg's generator, but give up when the database has been silent for this many seconds."""
    until = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + seconds
            elif time.monotonic() > until:
                gen.close()
                raise SilentDatabase(f"the database has not answered for {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
