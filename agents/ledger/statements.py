"""The ledger's frequent statements, which every start and end of a run needs, without the ORM's cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from netra.agents.conf import conf
from netra.agents.models import OPEN, RunStatus
from netra.agents.usage import Used
from websocket_core.database.home import connection
from websocket_core.wire.vocabulary import OPEN_STATUSES, sql_words


class RunRow(NamedTuple):
    """The columns of a run that the ledger needs."""

    pk: int
    run_id: str
    thread_pk: int
    status: str
    first_seq: int | None
    resting: bool
    agent_type: str
    input: str
    request_id: str
    trace: str
    actor_id: str
    usage: str = ""  # JSON of the usage so far
    created_at: datetime | None = None  # set if it has waited

    @property
    def is_open(self) -> bool:
        """Whether the run is queued, running or waiting."""
        return self.status in OPEN


_COLUMNS = "id, run_id, thread_id, status, first_seq, resting, agent_type, input, request_id, trace, actor_id, usage"
_IS_OPEN = f"status IN ({sql_words(OPEN_STATUSES)})"


def _moment(value: datetime | None) -> Any:
    return None if value is None else connection.ops.adapt_datetimefield_value(value)


def _aware(value: datetime) -> datetime:
    """SQLite's columns have no time zone. Their values are UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def run_and_open_runs(owner_id: str, run_id: str) -> list[RunRow]:
    """The run with this id, if it exists, and every open run of the user, oldest first."""
    with connection.cursor() as cursor:
        # Two queries, each with its own index. A single one with OR would read every run of the user.
        cursor.execute(
            f"SELECT {_COLUMNS} FROM netra_agents_run WHERE owner_id = %s AND run_id = %s UNION ALL "
            f"SELECT {_COLUMNS} FROM netra_agents_run WHERE owner_id = %s AND run_id <> %s AND {_IS_OPEN} ORDER BY id",
            [owner_id, run_id, owner_id, run_id],
        )
        return [RunRow(*row) for row in cursor.fetchall()]


def next_queued(thread_pk: int) -> RunRow | None:
    """The oldest queued run of a thread."""
    with connection.cursor() as cursor:
        cursor.execute(
            # `_IS_OPEN` selects the index: a thread may have any number of runs.
            f"SELECT {_COLUMNS}, created_at FROM netra_agents_run "
            f"WHERE thread_id = %s AND {_IS_OPEN} AND status = 'queued' "
            "ORDER BY id LIMIT 1",
            [thread_pk],
        )
        row = cursor.fetchone()
    return None if row is None else RunRow(*row[:-1])._replace(created_at=_aware(row[-1]))


def insert_queued(
    *,
    owner_id: str,
    actor_id: str,
    run_id: str,
    thread_pk: int,
    agent_type: str,
    input: str,
    request_id: str,
    trace: str,
    now: datetime,
) -> int | None:
    """Insert a queued run. Returns its pk, or `None` if another process has already used this `run_id`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO netra_agents_run (owner_id, actor_id, run_id, thread_id, agent_type, input, request_id, "
            "trace, status, attempt, created_at, result, code, incident, usage, worker_id, resting, stop_reason, "
            "stop_actor_id, retried_as) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'queued', 1, %s, '', '', '', '', '', %s, '', '', '') "
            "ON CONFLICT (owner_id, run_id) DO NOTHING RETURNING id",
            [owner_id, actor_id, run_id, thread_pk, agent_type, input, request_id, trace, _moment(now), False],
        )
        row = cursor.fetchone()
    return None if row is None else row[0]


def name_thread(thread_pk: int, title: str) -> None:
    """Set the title of a thread and make it visible."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE websocket_core_thread SET title = %s, deleted_at = NULL WHERE id = %s", [title, thread_pk]
        )


def lease_end() -> CombinedExpression:
    """When a lease taken or renewed now expires. The database's clock is the same for every machine."""
    return Now() + timedelta(seconds=conf.LEASE_SECONDS)


def mark_running(run_pk: int, *, worker_id: str, started_at: datetime | None, seq: int | None) -> None:
    """Mark the run as executed by this worker. `seq` is that of its `agent_started`; `None` if the run continues."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # see `lease_end`
            lease_end, value = "statement_timestamp() + %s * interval '1 second'", conf.LEASE_SECONDS
        else:  # one machine, one clock
            lease_end, value = "%s", _moment(datetime.now(UTC) + timedelta(seconds=conf.LEASE_SECONDS))
        cursor.execute(
            f"UPDATE netra_agents_run SET status = 'running', worker_id = %s, lease_until = {lease_end}, resting = %s, "
            "started_at = COALESCE(%s, started_at), first_seq = COALESCE(first_seq, %s) WHERE id = %s",
            [worker_id, value, False, _moment(started_at), seq, run_pk],
        )


def stopped_by(run_pk: int) -> str:
    """The actor who asked a run to stop; empty if there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT stop_actor_id FROM netra_agents_run WHERE id = %s", [run_pk])
        row = cursor.fetchone()
    return "" if row is None else row[0]


def mark_ended(
    run_pk: int,
    *,
    status: RunStatus,
    seq: int,
    result: str,
    code: str,
    incident: str,
    stop_reason: str | None,
    retried_as: str,
    now: datetime,
    used: Used,
    follow_up_at: datetime | None,
    signal_due: bool,
) -> None:
    """Mark the run as over. `seq` is that of its terminal event."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE netra_agents_run SET status = %s, last_seq = %s, first_seq = COALESCE(first_seq, %s), result = %s, "
            "code = %s, incident = %s, stop_reason = COALESCE(%s, stop_reason), retried_as = %s, lease_until = NULL, "
            "resting = %s, finished_at = %s, usage = %s, input_tokens = %s, output_tokens = %s, total_tokens = %s, "
            "follow_up_at = %s, signal_due = %s WHERE id = %s",
            [
                *(str(status), seq, seq, result, code, incident, stop_reason, retried_as, False, _moment(now)),
                *(used.text, used.input_tokens, used.output_tokens, used.total_tokens),
                *(_moment(follow_up_at), signal_due, run_pk),
            ],
        )
