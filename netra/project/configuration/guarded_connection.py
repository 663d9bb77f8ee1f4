"""A PostgreSQL connection that waits for ever neither for an answer nor for its own client.

TCP tells of a host that vanished, in half a minute at best, and of nothing at all when something between answers for it
and passes nothing on (a proxy, a load balancer, a pooler that hangs). Until then whoever waits holds up what queues
behind it: of a journal, every event of the process. So a process that serves or works gives a silent database up after
`NETRA_DATABASE_SILENCE_SECONDS`, as if it had said that it goes away; whatever was under way is tried again on a new
connection.

The other way round: a process that is cut off, or stopped, in the middle of a transaction holds its rows locked, and
whoever wants one of them waits for it. So PostgreSQL is told to end such a session after
`NETRA_DATABASE_IDLE_SECONDS`, and to look whether the client is still there. And a session that waits for a row gives
up before its client does: otherwise it would go on waiting without one, and each further attempt would add another.

Commands (a migration that builds an index for an hour) wait as long as it takes.
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
    """The database has not answered; what was asked may have happened."""


class SessionEnded(psycopg.OperationalError):
    """PostgreSQL has ended the session, since this process did not go on with its transaction; nothing was written."""


class GuardedConnection(psycopg.Connection[Any]):
    """What Netra's pool is made of."""

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
    """The same conversation with the database, until it has been silent for so long."""
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
