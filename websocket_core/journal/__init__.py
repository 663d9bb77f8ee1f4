"""The journal: the one way events become true, and where they are read again.

To write, make an `Operation` (`transaction.py`; `append.py` has the commonest one) and give it to the event loop's
`Journal` (`group_commit.py`), which commits many of them together (`batch.py`, `commits.py`) with few statements
(`statements.py`). To read, call `reading.py`, with `epoch.py` beside it. The rooms above come in through the names
below and through those two modules; the journal itself knows the bell, the database and the wire.
Read the files in the order in which they are named here.
"""

from __future__ import annotations

from websocket_core.journal.append import Append
from websocket_core.journal.batch import commit_now
from websocket_core.journal.group_commit import Journal
from websocket_core.journal.quota import RoomOfRun, size_of
from websocket_core.journal.thread_row import ThreadRow
from websocket_core.journal.transaction import Operation, Transaction

__all__ = [
    "Append",
    "Journal",
    "Operation",
    "RoomOfRun",
    "ThreadRow",
    "Transaction",
    "commit_now",
    "size_of",
]
