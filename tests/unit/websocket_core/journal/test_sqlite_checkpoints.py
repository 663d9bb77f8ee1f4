"""SQLite's log is checkpointed outside the commits."""

import asyncio
import time
from pathlib import Path

import pytest
from django.db import connection

from test_framework.journal_operations import state
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import sqlite_checkpoints as checkpoints

pytestmark = pytest.mark.django_db(transaction=True)


def log_and_moved() -> tuple[int, int]:
    """Pages in the log, and those of them that are in the file, too; asking moves nothing."""
    name = str(connection.settings_dict["NAME"])
    header = Path(f"{name}-shm").read_bytes()
    # The index of the log: https://www.sqlite.org/walformat.html#the_wal_index_file_format, mxFrame and nBackfill
    return int.from_bytes(header[16:20], "little"), int.from_bytes(header[96:100], "little")


@pytest.mark.skipif("connection.vendor != 'sqlite'")
async def test_commits__are_moved_into_the_file_without_being_waited_for(monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.01)
    await get_gateway().journal.submit(state(1))
    deadline = time.monotonic() + 20
    while True:
        await asyncio.sleep(0.02)
        await get_gateway().journal.submit(state(2))
        pages, moved = await db.read(log_and_moved)
        if moved:
            assert moved <= pages
            return
        assert time.monotonic() < deadline, "nothing is moved"


async def test_checkpoint__that_fails__disturbs_nobody(monkeypatch):
    def fail() -> None:
        raise RuntimeError("this is a test")

    monkeypatch.setattr(checkpoints, "_checkpoint", fail)
    assert await get_gateway().journal.submit(state(1)) == 1
    await asyncio.sleep(0)
    assert await get_gateway().journal.submit(state(2)) == 2
