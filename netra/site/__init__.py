"""What a site's own code does with Netra: `import netra`, then `netra.start(…)` and the other names below.

Views under ASGI and WSGI, commands, signals, tasks of a queue and shells come in, by these names, which the package
`netra` hands on. Every function has an async twin (`astart`, `aget_run`, …).

Read `starts.py` and `runs.py` first; `answers.py`, `history.py`, `notices.py` and `erasure.py` are the rest of what is
offered. Below them: `run_state.py` reads a run, `users.py` and `wishes.py` check arguments, `transactions.py` has what
a transaction of the caller's changes, `crossing.py` finds the event loop that does the work. The work itself is
`netra.agents.service` and the journal: nothing here writes by itself.
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
