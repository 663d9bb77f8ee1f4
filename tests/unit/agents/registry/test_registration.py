"""What `@agent` accepts, and what it says to what it does not."""

import functools
from typing import Any

import pytest

from netra.agents import BaseAgent, agent, register
from netra.agents.base import make_agent


async def good(ctx: Any, input: Any) -> Any:
    """Does good. And more of it."""


class Callable:
    async def method(self, ctx: Any, input: Any) -> None: ...

    async def __call__(self, ctx: Any, input: Any) -> None: ...


@pytest.mark.parametrize(
    "function",
    [good, Callable().method, Callable(), functools.partial(good), lambda ctx, input: 1, lambda *anything: 1],
    ids=["function", "method", "object", "partial", "lambda", "star"],
)
def test_functions_of_every_kind(function) -> None:
    kind = make_agent(function, name="of_every_kind")
    assert issubclass(kind, BaseAgent)
    assert kind.name == "of_every_kind"


def test_description__is_the_first_line_of_the_docstring() -> None:
    assert make_agent(good, name="x").description == "Does good. And more of it."
    assert make_agent(good, name="x", description="Better").description == "Better"


def test_decorated_function__stays_itself(make) -> None:
    make(good)  # whatever is registered here goes again after the test
    assert agent("made_by_decorator")(good) is good


def test_without_a_name__says_how() -> None:
    wrong: Any = agent
    with pytest.raises(TypeError, match=r'@agent\("name"\)'):
        wrong(good)


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "é", "a\n"])
def test_illegal_name(name: str) -> None:
    with pytest.raises(ValueError, match="valid agent name"):
        agent(name)(good)


def test_name_that_is_taken() -> None:
    with pytest.raises(ValueError, match=r"taken by netra\.agents\.builtin"):
        agent("test_agent")(good)


async def _one(ctx: Any) -> None: ...
async def _three(ctx: Any, input: Any, more: Any) -> None: ...


async def _yields(ctx: Any, input: Any) -> Any:
    yield 1


def _yields_too(ctx: Any, input: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (_one, r"called with \(ctx, input\)"),
        (_three, r"called with \(ctx, input\)"),
        (_yields, "yields"),
        (_yields_too, "yields"),
        (BaseAgent, "register"),
        ("good", "not a function"),
        (None, "not a function"),
    ],
)
def test_what_is_no_body__says_why(wrong: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        agent("no_body")(wrong)


@pytest.mark.parametrize("options", [{"on_loss": "again"}, {"timeout": 0}, {"timeout": -1.0}])
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        agent("odd", **options)(good)


def test_sync_function_that_gives_a_coroutine__is_told_so() -> None:
    kind: Any = make_agent(lambda ctx, input: good(ctx, input), name="careless")
    with pytest.raises(TypeError, match="async def"):
        kind().run(None, None)


def of_class(**members: Any) -> type[BaseAgent]:
    return type("Made", (BaseAgent,), {"name": "of_class", "run": good, **members})


async def yields(self: Any, ctx: Any, input: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"run": yields}, "yields"),
        ({"on_loss": "sometimes"}, "'fail' or 'retry'"),
        ({"timeout": 0}, "seconds above 0"),
        ({"timeout": "5"}, "seconds above 0"),
        ({"aliases": "other"}, "must be a tuple"),
    ],
)
def test_class_that_would_fail_in_every_run__is_refused(members: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        register(of_class(**members))
