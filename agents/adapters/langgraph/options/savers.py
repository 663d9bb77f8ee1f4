"""Checks the checkpointer with which a graph was compiled: whether it stays, is replaced, or cannot work."""

from __future__ import annotations

import dis
import inspect
import sys
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

_NEEDED = ("aget_tuple", "aput", "aput_writes")


def refuse_sync_saver(graph_name: str, saver: BaseCheckpointSaver[Any]) -> None:
    """Refuse a saver without async methods, because every run would fail.

    Raises:
        ValueError: it has no async methods. The message names the saver that has.
    """
    missing = [name for name in _NEEDED if not _is_there(saver, name)]
    if not missing:
        return
    kind = type(saver)
    if kind.__module__.startswith("langgraph.checkpoint."):
        beside = hasattr(sys.modules[kind.__module__], f"Async{kind.__name__}")
        module = kind.__module__ if beside else ".".join(kind.__module__.split(".")[:3]) + ".aio"
        instead = f"use Async{kind.__name__} of {module}"
    else:
        instead = f"use one that has them, or add {', '.join(missing)}"
    raise ValueError(f"graph {graph_name!r} has a {kind.__name__}, which has no async methods: {instead}")


def _is_there(saver: BaseCheckpointSaver[Any], name: str) -> bool:
    method = getattr(saver, name)
    function = inspect.unwrap(getattr(method, "__func__", method))
    if function is getattr(BaseCheckpointSaver, name):
        return False
    # Some savers define the methods only to raise that they are not implemented.
    code = getattr(function, "__code__", None)
    return code is None or "NotImplementedError" not in code.co_names or _awaits(function)


def _awaits(function: Any) -> bool:
    return any(step.opname in ("GET_AWAITABLE", "GET_AITER") for step in dis.get_instructions(function))
