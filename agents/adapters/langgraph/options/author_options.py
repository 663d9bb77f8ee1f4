"""Options that are a value, or a function that creates one for every run. Anything else is refused at registration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def as_function(graph_name: str, option: str, value: Any) -> Callable[..., Any] | None:
    """The function given as an option: a function, a method, a `functools.partial` or any callable object.

    It is called with the run's context and its input, or only with the context if it has no second parameter.

    Returns:
        `None` if the option is a value.

    Raises:
        TypeError: it is a class, or cannot be called like this.
    """
    if isinstance(value, type):
        raise TypeError(
            f"{option}= of graph {graph_name!r} is the class {value.__name__}: pass an object of it, or a function "
            "that creates one for every run"
        )
    if not callable(value):
        return None
    function: Callable[..., Any] = value
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return function  # written in C: it has no signature
    if _takes(signature, 2):
        return function
    if _takes(signature, 1):
        return lambda ctx, input: function(ctx)
    raise TypeError(f"{option}= of graph {graph_name!r} is called with (ctx, input), but takes {signature}")


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


async def settled(value: Any) -> Any:
    """The result of an author's function, awaited if necessary."""
    return await value if inspect.isawaitable(value) else value
