"""Counts the database work of a block of code. Unlike a time, the count is the same on every machine."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

STEPS = 1_000  # instructions between two ticks of SQLite's counter


@dataclass
class Cost:
    """The work of a block.

    Attributes:
        rows: a lower estimate of the rows that were read: on SQLite a row takes at least five instructions.
        statements: the SQL.
    """

    rows: float = 0
    statements: list[str] = field(default_factory=list)

    def counted(self, table: str) -> list[str]:
        """Statements that count the rows of a table without a limit."""
        counts = [sql for sql in self.statements if re.search(r"COUNT\(", sql) and f'"{table}"' in sql]
        return [sql for sql in counts if "LIMIT" not in sql]


@contextmanager
def measured() -> Iterator[Cost]:
    """Count the database work of the block."""
    cost, ticks = Cost(), 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    connection.ensure_connection()
    sqlite = connection.vendor == "sqlite"
    with CaptureQueriesContext(connection) as captured:
        if sqlite:
            connection.connection.set_progress_handler(tick, STEPS)
        try:
            yield cost
        finally:
            if sqlite:
                connection.connection.set_progress_handler(None, 0)
    cost.statements = [query["sql"] for query in captured.captured_queries]
    cost.rows = ticks * STEPS / 5 if sqlite else sum(map(_rows_on_postgresql, cost.statements))


def _rows_on_postgresql(sql: str) -> float:
    if not sql.startswith("SELECT"):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
        plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return _rows_of(plan[0]["Plan"])


def _rows_of(node: dict[str, Any]) -> float:
    """The number of rows that the scans of a plan returned or discarded."""
    below = sum(_rows_of(child) for child in node.get("Plans", ()))
    if "Scan" not in node["Node Type"]:
        return below
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float(below + (node["Actual Rows"] + removed) * node["Actual Loops"])
