"""The journal: the only way to write an event, and the place to read events back.

To write, create an `Operation` (`transaction.py`; `append.py` has the most common one) and submit it to the event
loop's `Journal` (`group_commit.py`). The journal commits many operations in one transaction (`batch.py`, `commits.py`)
with few statements (`statements.py`). To read, call the functions of `reading.py` and `epoch.py`. Other rooms import
only the names below and those two modules. The journal itself imports the bell, the database and the wire.
Read the files in the order in which they are named here.
"""

from __future__ import annotations

from websocket_core.journal.append import Append
from websocket_core.journal.batch import commit_now, judge_now
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
    "judge_now",
    "size_of",
]
