"""What is asked of the journal: heads and pages, each of one look."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from test_framework.journal_operations import state
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import reading as journal_read
from websocket_core.models import Thread

pytestmark = pytest.mark.usefixtures("each_database")

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("microsecond", [0, 1, 120_000])
async def test_welcome__oldest_is_that_of_the_heads_it_read(settings, microsecond):
    """Threads that are not among the heads were last updated before it; one read a moment later would be too late."""
    settings.NETRA_HEADS = 2
    for number in range(3):
        await get_gateway().journal.submit(state(thread=f"t{number}"))
        moment = BEGAN + timedelta(seconds=number, microseconds=microsecond)
        await db.writer.call(lambda: Thread.objects.filter(thread_id=f"t{number}").update(updated_at=moment))  # noqa: B023
    found = await db.read(_welcome_then_moved)
    assert found.heads == {(GOOGLE, "t2"): 1, (GOOGLE, "t1"): 1}
    assert not found.complete
    assert found.oldest == BEGAN + timedelta(seconds=1, microseconds=microsecond)


async def test_welcome__without_threads():
    assert await db.read(journal_read.welcome, GOOGLE) == journal_read.Welcome({}, True, None)


def _welcome_then_moved() -> journal_read.Welcome:
    """Every statement after the first one finds all threads moved."""
    statements: list[str] = []

    def move(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        if len(statements) == 2:
            Thread.objects.update(updated_at=datetime.now(UTC))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(move):
        return journal_read.welcome(GOOGLE)
