"""Which agents have their history loaded before they start: those whose code can ask for it."""

from functools import partial, wraps
from typing import Any

import pytest

from netra.agents.adapters.langgraph import LangGraphAgent
from netra.agents.adapters.pydantic_ai import PydanticAIAgent
from netra.agents.base import BaseAgent, make_agent
from netra.agents.execution.past_runs import names_history


def earlier(ctx: Any) -> list[str]:
    return [run.run_id for run in ctx.history]


def through_another(ctx: Any) -> list[str]:
    return earlier(ctx)


def decorated(function: Any) -> Any:
    @wraps(function)
    async def inner(ctx: Any, input: Any) -> Any:
        return await function(ctx, input)

    return inner


async def asks(ctx: Any, input: Any) -> Any:
    return ctx.history


async def asks_by_a_function(ctx: Any, input: Any) -> Any:
    return through_another(ctx)


async def asks_within(ctx: Any, input: Any) -> Any:
    def inner() -> Any:
        return list(ctx.history)

    return inner()


async def asks_by_name(ctx: Any, input: Any) -> Any:
    return getattr(ctx, "history")  # noqa: B009 - that is the case


@decorated
async def asks_behind_a_decorator(ctx: Any, input: Any) -> Any:
    return ctx.history


async def with_more(more: int, ctx: Any, input: Any) -> Any:
    return ctx.history


class Callable:
    async def __call__(self, ctx: Any, input: Any) -> Any:
        return ctx.history


async def never(ctx: Any, input: Any) -> Any:
    return input


async def calls_itself(ctx: Any, input: Any) -> Any:
    return await calls_itself(ctx, input)


@pytest.mark.parametrize(
    "body",
    [asks, asks_by_a_function, asks_within, asks_by_name, asks_behind_a_decorator, partial(with_more, 1), Callable()],
)
def test_names_history(body: Any) -> None:
    if isinstance(body, partial | Callable):
        body.__doc__, body.__module__ = "", __name__
    assert names_history(make_agent(body, name="body"))


@pytest.mark.parametrize("body", [never, calls_itself])
def test_names_no_history(body: Any) -> None:
    assert not names_history(make_agent(body, name="body"))


def test_names_history__a_class__in_any_method() -> None:
    class Asks(BaseAgent):
        async def run(self, ctx: Any, input: Any) -> Any:
            return self.look(ctx)

        def look(self, ctx: Any) -> Any:
            return ctx.history

    class Inherits(Asks):
        pass

    assert names_history(Inherits)


@pytest.mark.parametrize("kind", [PydanticAIAgent, LangGraphAgent])
def test_adapted_agents__keep_a_memory_of_their_own(kind: type[BaseAgent]) -> None:
    assert not names_history(kind)
