"""Options that are a value, or a function that makes one for every run; what is neither is refused at registration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def as_function(graph_name: str, option: str, value: Any, *, of: int) -> Callable[..., Any] | None:
    """The function that an option is: a function, a method, a `functools.partial`, any object that can be called.

    Args:
        of: how many of the run's context and input it is called with; it may take fewer.

    Returns:
        `None` when the option is a value.

    Raises:
        TypeError: it is a class, or cannot be called so.
    """
    if isinstance(value, type):
        raise TypeError(
            f"{option}= of graph {graph_name!r} is the class {value.__name__}: give an object of it, or a function "
            "that makes one for every run"
        )
    if not callable(value):
        return None
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return lambda *given: value(*given[:of])  # written in C: it says nothing about itself
    for taken in range(of, 0, -1):
        try:
            signature.bind(*[None] * taken)
        except TypeError:
            continue
        return lambda *given, taken=taken: value(*given[:taken])
    wanted = ("(ctx)", "(ctx, input)")[of - 1]
    raise TypeError(f"{option}= of graph {graph_name!r} is called with {wanted}, but takes {signature}")


async def settled(value: Any) -> Any:
    """What a function of the author returned, awaited if it is to be."""
    return await value if inspect.isawaitable(value) else value
