"""Files that only their owner may read: the SQLite database with its sessions and password hashes, the secret key, the
development users' passwords.

Whatever made the file or the folder, an administrator with `mkdir` or a restored backup, is not asked: both are put
right at every start. What belongs to another user of the machine is left to that user.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What is in a folder that is Netra's alone; a folder with anything else may be somebody else's, too.
OURS = ("secret_key", "db.sqlite3", "dev_users.json", "lost+found")
BESIDE_SQLITE = ("-wal", "-shm", "-journal")


def make_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, or make it one.

    Raises:
        OSError: there is none and none can be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):
        if not path.stat().st_mode & stat.S_ISVTX and all(name.startswith(OURS) for name in os.listdir(path)):
            _close_to_others(path)


def make_private(path: Path) -> None:
    """Take away everybody else's rights to a file, if it exists."""
    with suppress(OSError):
        _close_to_others(path)


def make_sqlite_private(path: Path) -> None:
    """Make a SQLite file that only its owner may read, or make it one; SQLite gives the files beside it its rights."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for name in ("", *BESIDE_SQLITE):
        make_private(path.with_name(path.name + name))


def _close_to_others(path: Path) -> None:
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
