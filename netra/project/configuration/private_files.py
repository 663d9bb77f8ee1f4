"""Files that only their owner may read: the SQLite database with its sessions and password hashes, the secret key, the
development users' passwords.

However the file or the folder was created (by an administrator's `mkdir`, by a restored backup), its permissions are
corrected at every start. Files of another user of the machine are left alone.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The contents of a folder that only Netra uses; a folder with anything else may be used by others too.
OURS = ("secret_key", "db.sqlite3", "dev_users.json", "lost+found")
BESIDE_SQLITE = ("-wal", "-shm", "-journal")


def make_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, or restrict an existing one.

    Raises:
        OSError: it does not exist and cannot be created.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):
        if not path.stat().st_mode & stat.S_ISVTX and all(name.startswith(OURS) for name in os.listdir(path)):
            _close_to_others(path)


def make_private(path: Path) -> None:
    """Remove all rights of group and others from a file, if it exists."""
    with suppress(OSError):
        _close_to_others(path)


def make_sqlite_private(path: Path) -> None:
    """Create a SQLite file that only its owner may read, or restrict it; SQLite's other files get the same rights."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for name in ("", *BESIDE_SQLITE):
        make_private(path.with_name(path.name + name))


def _close_to_others(path: Path) -> None:
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
