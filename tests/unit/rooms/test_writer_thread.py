"""Only the journal uses its thread: any other write there would delay the events of all users."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ALLOWED = {"websocket_core/journal/group_commit.py", "websocket_core/database/db.py"}


def test_only_the_journal_calls_its_thread() -> None:
    named = {
        path.relative_to(ROOT).as_posix()
        for room in ("websocket_core", "agents", "netra")
        for path in (ROOT / room).rglob("*.py")
        if "db.writer" in path.read_text() or path == ROOT / "websocket_core/database/db.py"
    }
    assert named == ALLOWED, "write with `db.write`: it has a thread of its own, or takes turns with the journal"
