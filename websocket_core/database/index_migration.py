"""A migration that makes an index on a large table while servers go on writing to it."""

from __future__ import annotations

from typing import Any

from django.db import migrations


class AddIndexBesideTraffic(migrations.AddIndex):
    """`AddIndex` that lets others write meanwhile on PostgreSQL. Its migration says `atomic = False`."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: D102 - as its base
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            # What an attempt that was interrupted has left is of no use, and would be in the way.
            name = schema_editor.quote_name(self.index.name)
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            schema_editor.add_index(model, self.index, concurrently=True)
