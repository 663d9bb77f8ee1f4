"""A journal with a million events, written in seconds by plain SQL."""

from datetime import UTC, datetime
from textwrap import dedent

from django.db import connection

from websocket_core.models import Thread

THREADS = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS_PER_EVENT = 1  # a million events span eleven and a half days
TYPES = ("agent_thinking", "agent_message", "tool_executing", "tool_completed", "agent_state")
RUN_EVENTS = 50  # events per run


def fill(events: int) -> None:
    """Write `events` events in `THREADS` threads, and a run and a closed connection for every `RUN_EVENTS` of them.

    Event n (from 0) belongs to thread n % THREADS, and was written n seconds after `START`.
    """
    Thread.objects.bulk_create(
        Thread(
            owner_id=f"user-{number % 500}",
            thread_id=f"thread-{number}",
            title=f"Thread {number}",
            last_seq=events // THREADS,
            created_at=START,
            updated_at=START,
        )
        for number in range(THREADS)
    )
    first = Thread.objects.order_by("pk").values_list("pk", flat=True)[0]
    postgres = connection.vendor == "postgresql"
    numbers = (
        "SELECT n FROM generate_series(0, {last}) AS s(n)"
        if postgres
        else "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s"
    )
    moment = (
        "(timestamptz '{start}' + {n} * interval '{step} seconds')"
        if postgres
        else ("strftime('%Y-%m-%d %H:%M:%S', '{start}', '+' || ({n} * {step}) || ' seconds')")
    )

    def at(expression: str) -> str:
        start = START.isoformat() if postgres else START.strftime("%Y-%m-%d %H:%M:%S")
        return moment.format(start=start, n=f"({expression})", step=SECONDS_PER_EVENT)

    types = "CASE n % 5 " + " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(TYPES)) + " END"
    runs = events // RUN_EVENTS
    statements = [
        f"""
        INSERT INTO websocket_core_event (thread_id, seq, run_id, event_type, frame, created_at)
        SELECT {first} + n % {THREADS}, n / {THREADS} + 1,
               'run-' || (n % {THREADS}) || '-' || (n / {THREADS} / {RUN_EVENTS}), {types},
               '{{"event_type":"x","data":{{"n":' || n || '}}}}', {at("n")}
        FROM ({numbers.format(last=events - 1)}) AS numbers
        """,  # noqa: S608 - every part is a constant of this module
        f"""
        INSERT INTO netra_agents_run (owner_id, actor_id, run_id, thread_id, agent_type, input, request_id, trace,
            status, attempt, first_seq, last_seq, result, code, incident, usage, worker_id, resting, stop_reason,
            stop_actor_id, retried_as, created_at, started_at, finished_at)
        SELECT 'user-' || (n % 500), 'user-' || (n % 500), 'run-' || n, {first} + n % {THREADS},
               'agent-' || (n % 7), '{{}}', '', '',
               CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END, 1, 1, {RUN_EVENTS},
               '', '', '', '', '', {"false" if postgres else 0}, '', '', '', {at(f"n * {RUN_EVENTS}")},
               {at(f"n * {RUN_EVENTS}")}, {at(f"n * {RUN_EVENTS} + 40")}
        FROM ({numbers.format(last=runs - 1)}) AS numbers
        """,  # noqa: S608
        f"""
        INSERT INTO websocket_core_connection (connection_id, user_id, thread_id, process_id, credential, client,
            connected_at, last_seen_at, disconnected_at, close_code)
        SELECT 'connection-' || n, 'user-' || (n % 500), 'thread-' || (n % {THREADS}), 'gone', 'session', '',
               {at(f"n * {RUN_EVENTS}")}, {at(f"n * {RUN_EVENTS} + 30")}, {at(f"n * {RUN_EVENTS} + 30")}, 1001
        FROM ({numbers.format(last=runs - 1)}) AS numbers
        """,  # noqa: S608
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(dedent(statement))
        cursor.execute("ANALYZE")
