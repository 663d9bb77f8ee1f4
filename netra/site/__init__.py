"""The Python API for a site's own code: `import netra`, then `netra.start(…)` and the other names below.

The package `netra` exports these names. Views under ASGI and WSGI, commands, signals, queue tasks and shells can use
them. Every function has an async variant (`astart`, `aget_run`, …).

Read `starts.py` and `runs.py` first. `answers.py`, `history.py`, `notices.py` and `erasure.py` contain the other public
functions. They are built on `run_state.py`, which reads a run; `users.py` and `wishes.py`, which check arguments;
`transactions.py`, which handles the caller's transaction; and `crossing.py`, which finds the event loop for the work.
This room writes nothing itself: `netra.agents.service` and the journal do.
"""

from __future__ import annotations

from netra.agents.errors import UnknownAgentError as UnknownAgent
from netra.site.answers import arespond, respond
from netra.site.erasure import aerase, erase
from netra.site.history import Event, Thread, aevents, athreads, events, threads
from netra.site.missing import ApprovalNotFound, RunNotFound, ThreadNotFound
from netra.site.notices import apush, push
from netra.site.runs import Run, aget_run, get_run
from netra.site.starts import astart, start

__all__ = [
    "ApprovalNotFound",
    "Event",
    "Run",
    "RunNotFound",
    "Thread",
    "ThreadNotFound",
    "UnknownAgent",
    "aerase",
    "aevents",
    "aget_run",
    "apush",
    "arespond",
    "astart",
    "athreads",
    "erase",
    "events",
    "get_run",
    "push",
    "respond",
    "start",
    "threads",
]
