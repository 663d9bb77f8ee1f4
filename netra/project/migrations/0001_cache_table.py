"""The table of Django's cache, which counts log-in attempts across all processes without further setup."""

from typing import Any

from django.core.management import call_command
from django.db import migrations

TABLE = "netra_cache"


def create(apps: Any, schema_editor: Any) -> None:
    call_command("createcachetable", TABLE, database=schema_editor.connection.alias, verbosity=0)


def drop(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute(f"DROP TABLE {schema_editor.quote_name(TABLE)}")


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.RunPython(create, drop)]
