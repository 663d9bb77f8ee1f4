"""What an installation keeps can be read by its owner alone, whatever made the folder and the files."""

import os
import stat
from pathlib import Path

import pytest

from netra.project.configuration.private_files import make_folder, make_private, make_sqlite_private
from servers.fixtures import TEST_KEY
from servers.netra import Installation


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_installation__in_a_folder_that_others_may_enter(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    installation = Installation(folder, {})
    installation.manage("migrate", "--no-input", "-v", "0")
    installation.manage("dev_setup")
    found = {path.name: mode(path) for path in folder.iterdir()}
    assert {"db.sqlite3", "secret_key", "dev_users.json"} <= set(found)
    assert {name: oct(rights) for name, rights in found.items() if rights != 0o600} == {}
    assert mode(folder) == 0o700

    for path in folder.iterdir():  # a backup was restored, with the rights of whoever did it
        path.chmod(0o644)
    folder.chmod(0o755)
    installation.manage("dev_setup")
    assert {path.name: oct(mode(path)) for path in folder.iterdir() if mode(path) != 0o600} == {}
    assert mode(folder) == 0o700


def test_installation__whose_database_is_elsewhere(tmp_path):
    """The files are private; the folder is not Netra's alone."""
    elsewhere = tmp_path / "shared"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "theirs").touch()
    url = f"sqlite:///{elsewhere / 'netra.sqlite3'}"
    installation = Installation(tmp_path / "data", {"DATABASE_URL": url, "SECRET_KEY": TEST_KEY})
    (tmp_path / "data").mkdir(exist_ok=True)
    installation.manage("migrate", "--no-input", "-v", "0")
    assert mode(elsewhere / "netra.sqlite3") == 0o600
    assert mode(elsewhere) == 0o755
    assert mode(elsewhere / "theirs") == 0o644


def test_files_beside_the_database__get_its_rights(tmp_path):
    import sqlite3

    path = tmp_path / "db.sqlite3"
    make_sqlite_private(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x)")
    beside = sorted(name.name for name in tmp_path.iterdir())
    assert beside == ["db.sqlite3", "db.sqlite3-shm", "db.sqlite3-wal"]
    assert {mode(one) for one in tmp_path.iterdir()} == {0o600}
    for one in tmp_path.iterdir():
        one.chmod(0o664)
    make_sqlite_private(path)
    assert {mode(one) for one in tmp_path.iterdir()} == {0o600}
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()


def test_folder__that_is_not_netra_s_alone_is_left_as_it_is(tmp_path):
    (tmp_path / "theirs").touch()
    tmp_path.chmod(0o755)
    make_folder(tmp_path)
    assert mode(tmp_path) == 0o755
    make_private(tmp_path / "is not there")
    make_sqlite_private(tmp_path / "no folder" / "db.sqlite3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs"]
