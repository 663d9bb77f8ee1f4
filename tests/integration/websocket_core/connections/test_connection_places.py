"""Two processes that write a connection of one user in the same moment count one after the other."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.connections.places import earlier_connections
from websocket_core.models import Connection
from websocket_core.process.heartbeat import this_process


def opened(name: str, user_id: str = GOOGLE) -> Connection:
    now = datetime.now(UTC)
    return Connection.objects.create(
        connection_id=name,
        user_id=user_id,
        process_id=this_process.process_id,
        credential="token",
        connected_at=now,
        last_seen_at=now,
    )


def test_of_one_batch__each_comes_after_those_before_it(each_database):
    with transaction.atomic():
        this_process.beat(datetime.now(UTC))
        opened("old")
        opened("gone").delete()
        rows = [opened("c"), opened("b"), opened("hers", GITHUB), opened("a")]
        assert earlier_connections(rows) == {"c": 1, "b": 2, "hers": 0, "a": 3}


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_of_two_processes_at_once__the_second_waits_for_the_first(each_database):
    this_process.beat(datetime.now(UTC))
    counted, results = threading.Event(), {}

    def other_process() -> None:
        with transaction.atomic():
            rows = [opened("second")]
            counted.wait(20)
            results.update(earlier_connections(rows))
        connection.close()

    thread = threading.Thread(target=other_process)
    thread.start()
    try:
        with transaction.atomic():
            results.update(earlier_connections([opened("first")]))
            counted.set()
            with connection.cursor() as cursor:
                while thread.is_alive():
                    cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                    if cursor.fetchone() is not None:
                        break
    finally:
        counted.set()
        thread.join(20)
    assert results == {"first": 0, "second": 1}
