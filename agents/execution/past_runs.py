"""When a run's history is loaded: before the start only for agents whose code can ask for it, else when it does ask.

Earlier inputs and results may be megabytes, and most agents never look: those that adapt a framework keep a memory of
their own. A coroutine cannot wait within `ctx.history`, so an async agent whose code names `history` anywhere has it
loaded before it starts; a plain `def` can wait, and has it loaded at its first look.
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
MOST_FUNCTIONS = 500  # looked at of one agent
_known: WeakKeyDictionary[type[Runnable], bool] = WeakKeyDictionary()


async def loaded_or_loader(
    agent: Runnable, owner_id: str, thread_id: str, before: int | None = None
) -> tuple[list[PastRun], Load | None]:
    """The thread's earlier runs; or nothing, and what loads them when they are asked for after all."""
    if is_async(agent.run) and names_history(type(agent)):
        return await db.read(run_reads.history, owner_id, thread_id, before), None
    return [], partial(db.read_now, run_reads.history, owner_id, thread_id, before)


def names_history(kind: type[Runnable]) -> bool:
    """Whether the code of an agent names `history`: its own, and that of functions of the same module it leads to."""
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
    """The Python function behind a method, a partial, a decorated function, an object that can be called."""
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
            member = getattr(type(member), "__call__", None)  # noqa: B004 - what is called, not whether
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
        cell.cell_contents  # noqa: B018 - asking is the test
    except ValueError:
        return False
    return True
