"""Decides when a run's history is loaded: before the start only if the agent's code can use it, otherwise on first use.

Earlier inputs and results may take megabytes, and most agents never read them: adapted frameworks keep their own
memory. A coroutine cannot wait inside `ctx.history`, so it is loaded before the start for an async agent whose code
contains the name `history`. A plain `def` can wait, and loads it on first use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from netra.agents.authoring.facts import PastRun
from netra.agents.execution.runnable import Runnable, is_async
from netra.agents.ledger import reading as run_reads
from websocket_core.database import db

Load = Callable[[], list[PastRun]]

NAME = "history"
MOST_FUNCTIONS = 500  # the most functions to examine per agent
_known: WeakKeyDictionary[type[Runnable], bool] = WeakKeyDictionary()


async def loaded_or_loader(
    agent: Runnable, owner_id: str, thread_id: str, before: int | None = None
) -> tuple[list[PastRun], Load | None]:
    """The thread's earlier runs, or an empty list and a function that loads them on first use."""
    if is_async(agent.run) and names_history(type(agent)):
        return await db.read(run_reads.history, owner_id, thread_id, before), None
    return [], partial(db.read_now, run_reads.history, owner_id, thread_id, before)


def names_history(kind: type[Runnable]) -> bool:
    """Whether the code of an agent, or of functions of the same module that it uses, contains the name `history`."""
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = any(_names_it(code) for code in _codes(kind))
    return found


def _codes(kind: type[Runnable]) -> Iterator[CodeType]:
    left: list[Any] = [member for one in kind.__mro__ for member in vars(one).values()]
    seen: set[int] = set()
    while left and len(seen) < MOST_FUNCTIONS:
        function = _function_of(left.pop())
        if function is None or id(function) in seen:
            continue
        seen.add(id(function))
        left += [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        for code in _with_inner(function.__code__):
            yield code
            found = [function.__globals__.get(name) for name in code.co_names]
            left += [one for one in found if getattr(one, "__module__", None) == function.__module__]


def _function_of(member: Any) -> FunctionType | None:
    """The Python function behind a method, a partial, a decorated function or a callable object."""
    for _ in range(10):
        if isinstance(member, FunctionType):
            wrapped = inspect.unwrap(member)
            return wrapped if isinstance(wrapped, FunctionType) else member
        if isinstance(member, staticmethod | classmethod) or inspect.ismethod(member):
            member = member.__func__
        elif isinstance(member, partial):
            member = member.func
        elif isinstance(member, type) or not callable(member):
            return None
        else:
            member = getattr(type(member), "__call__", None)  # noqa: B004 - finds the function
    return None


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


def _names_it(code: CodeType) -> bool:
    return NAME in code.co_names or NAME in code.co_consts


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - access is the test
    except ValueError:
        return False
    return True
