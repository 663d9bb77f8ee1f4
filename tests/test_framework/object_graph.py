"""Finds the objects reachable from an object, to show that two users' objects share no mutable state."""

from __future__ import annotations

import asyncio
import gc
import logging
import types
from collections.abc import Iterable
from typing import Any

# Code, and what belongs to the process: reached from everywhere, and no user's.
CODE = (type, types.ModuleType, types.CodeType, types.BuiltinFunctionType, types.WrapperDescriptorType, property)
OF_THE_PROCESS = (asyncio.AbstractEventLoop, logging.Logger, types.FrameType)
UNCHANGEABLE = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), tuple, frozenset, types.CellType)


def mutable_objects(*roots: Any) -> dict[int, Any]:
    """Every mutable object reachable from these, by its id. Closures of functions are followed, too."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, CODE + OF_THE_PROCESS):
            continue
        seen.add(id(item))
        if isinstance(item, types.FunctionType):
            stack.extend(_enclosed(item))
            continue
        if not isinstance(item, UNCHANGEABLE) and not _is_frozen(item):
            found[id(item)] = item
        stack.extend(gc.get_referents(item))
    return found


def shared(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    """The mutable objects that are reachable from both."""
    there = mutable_objects(*other)
    return [item for key, item in mutable_objects(*one).items() if key in there]


def _enclosed(function: types.FunctionType) -> list[Any]:
    return [*(function.__closure__ or ()), *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _is_frozen(item: Any) -> bool:
    parameters = getattr(type(item), "__dataclass_params__", None)
    return bool(parameters and parameters.frozen) or isinstance(item, types.MethodType)
