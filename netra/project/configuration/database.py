"""`DATABASE_URL` → Django's database settings, tuned for a journal that must not lose a confirmed event."""

from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.private_files import make_folder, make_sqlite_private

# WAL: readers never wait for the writer. FULL: a committed event survives a power cut, as guaranteed.
# `websocket_core.journal.sqlite_checkpoints` runs checkpoints outside the commits; SQLite's own only start when the
# log reaches 32 MiB.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=8192;"
SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"


def database(url: str, *, default_file: Path, test_file: Path, pool_size: int) -> dict[str, Any]:
    """Return the settings for the database at `url`; without one, for a SQLite file at `default_file`.

    Options given in the query of the URL win over the ones set here.

    Args:
        test_file: where tests keep their database when it is SQLite.
        pool_size: connections to PostgreSQL that one process may hold.

    Raises:
        ImproperlyConfigured: the URL cannot be read, or names neither PostgreSQL nor SQLite.
    """
    if not url:
        make_folder(default_file.parent)
        return _sqlite({"ENGINE": SQLITE, "NAME": str(default_file)}, test_file)
    try:
        settings = dict(dj_database_url.parse(url))
    except (ValueError, KeyError) as error:
        # Neither the URL nor the error's text: both may hold the password.
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read ({type(error).__name__}). {_EXAMPLES}") from None
    if settings["ENGINE"] == SQLITE:
        if settings["NAME"] in ("", ":memory:"):
            raise ImproperlyConfigured(
                f"DATABASE_URL names no file; Netra's threads cannot share a database in memory. {_EXAMPLES}"
            )
        return _sqlite(settings, test_file)
    if settings["ENGINE"] == POSTGRESQL:
        return _postgresql(settings, pool_size)
    raise ImproperlyConfigured(f"DATABASE_URL must name PostgreSQL or SQLite. {_EXAMPLES}")


_EXAMPLES = "Write postgresql://USER:PASSWORD@HOST:5432/NAME or sqlite:////full/path/of/netra.sqlite3."


def _sqlite(settings: dict[str, Any], test_file: Path) -> dict[str, Any]:
    make_sqlite_private(Path(settings["NAME"]))
    # IMMEDIATE: a transaction takes the write lock when it begins, so it waits its turn instead of failing halfway.
    defaults = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": SQLITE_PRAGMAS}
    settings["OPTIONS"] = defaults | settings.get("OPTIONS", {})
    settings["TEST"] = {"NAME": str(test_file)}
    return settings


def _postgresql(settings: dict[str, Any], pool_size: int) -> dict[str, Any]:
    from netra.project.configuration.guarded_connection import GuardedConnection  # slow, and SQLite needs no psycopg

    defaults: dict[str, Any] = {
        "pool": {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": 10,
            "connection_class": GuardedConnection,
            # Otherwise the pool waits longer between attempts the longer an outage lasts, and so recovers late.
            "reconnect_timeout": 5,
        },
        "application_name": "netra",
        "connect_timeout": 5,
        # A database host that vanished is noticed within half a minute instead of two hours, also when something was
        # on its way to it: that is tried for a quarter of an hour, and there is no keepalive meanwhile.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # ms
    }
    settings["OPTIONS"] = defaults | settings.get("OPTIONS", {})
    settings["CONN_MAX_AGE"] = 0  # the pool keeps connections open; Django insists on 0 beside it
    settings["CONN_HEALTH_CHECKS"] = True  # a restarted database costs a reconnect, not an error
    return settings
