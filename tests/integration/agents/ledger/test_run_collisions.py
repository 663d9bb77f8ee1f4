"""The same start through two processes in the same moment: one run, and both are told of it."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from netra.agents.models import Run, RunStatus
from test_framework.gateway import Join
from test_framework.ssot.factories import GOOGLE
from websocket_core.models import Thread


class OtherProcess:
    """Has recorded a run, and commits it a moment later."""

    def __init__(self) -> None:
        self.recorded, self.given_up = threading.Event(), threading.Event()

    def work(self) -> None:
        now = datetime.now(UTC)
        with transaction.atomic():
            thread = Thread.objects.create(owner_id=GOOGLE, thread_id="theirs", created_at=now, updated_at=now)
            Run.objects.create(
                owner_id=GOOGLE,
                run_id="same",
                thread=thread,
                agent_type="test",
                status=RunStatus.COMPLETED,
                created_at=now,
            )
            self.recorded.set()
            while not self._awaited():
                assert not self.given_up.wait(0.02)
        connection.close()

    def _awaited(self) -> bool:
        """Whether somebody waits for this transaction. (SQLite lets nobody else begin one: nothing to wait for.)"""
        if connection.vendor == "sqlite":
            return True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return cursor.fetchone() is not None


async def test_same_run_id_through_two_processes_at_once__is_answered_as_a_run_that_was_there(
    each_database: str, join: Join, caplog: Any
):
    """Their threads differ (the server makes one for each), so no lock keeps the two apart: only the constraint."""
    other = OtherProcess()
    working = asyncio.get_running_loop().run_in_executor(None, other.work)
    client = await join()
    try:
        assert await asyncio.to_thread(other.recorded.wait, 20)
        await client.send("start_agent", agent_type="test", run_id="same", request_id="mine")
        answer = await client.receive_json()
    finally:
        other.given_up.set()
        await asyncio.wait([working])
    assert (answer["event_type"], answer["thread_id"], answer["request_id"]) == ("resumed", "theirs", "mine")
    assert "Traceback" not in caplog.text
