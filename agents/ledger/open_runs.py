"""Runs that are not over, found by the index made for them.

`run_open` holds open runs alone. SQLite uses such an index only when the query has its condition word for word, and a
value bound to a placeholder is no word: with `status__in` it reads every run there ever was.
"""

from __future__ import annotations

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from netra.agents.models import Run
from websocket_core.wire.vocabulary import OPEN_STATUSES, sql_words


def is_open(status: str | None = None) -> Q:
    """The condition for open runs, or for those of one open status, in queries that begin at `Run`."""
    column = f'"{Run._meta.db_table}"."status"'
    condition = Q(RawSQL(f"{column} IN ({sql_words(OPEN_STATUSES)})", [], output_field=BooleanField()))  # noqa: S611 - constants
    return condition if status is None else condition & Q(status=status)
