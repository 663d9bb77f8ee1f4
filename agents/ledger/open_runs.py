"""Finds runs that are not over by their index.

The index `run_open` contains only open runs. SQLite uses such an index only if the query repeats its condition
literally, and a placeholder is not literal: with `status__in`, it would read every run that ever existed.
"""

from __future__ import annotations

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from netra.agents.models import Run
from websocket_core.wire.vocabulary import OPEN_STATUSES, sql_words


def is_open(status: str | None = None) -> Q:
    """The condition for open runs, or for those with one open status, in queries that begin at `Run`."""
    column = f'"{Run._meta.db_table}"."status"'
    condition = Q(RawSQL(f"{column} IN ({sql_words(OPEN_STATUSES)})", [], output_field=BooleanField()))  # noqa: S611 - constants
    return condition if status is None else condition & Q(status=status)
