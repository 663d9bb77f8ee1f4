"""A database from before the first release has the same names of migrations recorded, and other columns."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from websocket_core.database.old_layout import remedy_for_old_layout

pytestmark = pytest.mark.usefixtures("each_database")


def test_migrate__refuses_it_and_says_what_to_do():
    """Django alone would find nothing to apply, and every query would fail afterwards."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE websocket_core_thread RENAME COLUMN owner_id TO user_id")
        with pytest.raises(CommandError, match=r"before Netra's first release.*(delete the file|drop the database)"):
            call_command("migrate", verbosity=0)
        transaction.set_rollback(True)


def test_database_of_today__is_let_alone():
    assert remedy_for_old_layout(connection) is None
    call_command("migrate", verbosity=0)
