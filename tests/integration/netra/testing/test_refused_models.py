"""A model that refuses, for every kind of agent that Netra has an adapter or a page for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from openai import APIStatusError, AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel

from netra.agents import ModelUnavailable
from netra.agents.adapters.langgraph import register_graph
from netra.agents.adapters.pydantic_ai import register_agent
from netra.testing.faults import Faults
from netra.testing.fixtures import RunAgent

Register = Callable[[Any], None]
CODES = {"unavailable": "model_unavailable", "rate_limited": "model_unavailable", "refused": "refused"}


def pydantic_ai_over_http(make: Any) -> None:
    register_agent("made", Agent("openai-chat:fake"))


def pydantic_ai_test_model(make: Any) -> None:
    register_agent("made", Agent(TestModel()))


def pydantic_ai_function_model(make: Any) -> None:
    async def answers(messages: Any, info: Any) -> Any:
        yield "never said"

    register_agent("made", Agent(FunctionModel(stream_function=answers)))


def langgraph_over_http(make: Any) -> None:
    register_graph("made", create_agent(ChatOpenAI(model="fake", max_retries=0), []))


def openai_loop(make: Any) -> None:
    async def asks(ctx: Any, input: Any) -> str:
        try:
            answer = await AsyncOpenAI().responses.create(model="fake", input="Hi")
        except APIStatusError as error:
            if error.status_code in (429, 503):
                raise ModelUnavailable() from error
            raise
        return answer.output_text

    make(asks)


@pytest.fixture(autouse=True)
def forgotten(make: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Agents of adapters are forgotten after the test, as those of `make` are."""
    from netra.agents.registry import names

    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://model.invalid/v1")
    yield
    names.classes.pop("made", None)


@pytest.mark.parametrize("how", ["unavailable", "rate_limited", "refused"])
@pytest.mark.parametrize(
    "register",
    [pydantic_ai_over_http, pydantic_ai_test_model, pydantic_ai_function_model, langgraph_over_http, openai_loop],
)
async def test_model_refused(
    netra_run: RunAgent, netra_faults: Faults, make: Any, register: Register, how: str
) -> None:
    netra_faults.refuse_model(how)
    register(make)
    run = await netra_run("made", {"message": "hi"})
    assert run.error is not None
    assert run.error.code == ("agent_error" if (register, how) == (openai_loop, "refused") else CODES[how])


@pytest.mark.netra_refuse_model
async def test_other_requests__go_through(netra_run: RunAgent, make: Any) -> None:
    async def fetches(ctx: Any, input: Any) -> list[int]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: httpx2.Response(204))) as client:
            urls = ("http://shop.invalid/orders", "http://model.invalid/v1/responses")
            return [(await client.post(url)).status_code for url in urls]

    make(fetches)
    assert (await netra_run("made")).result == [204, 503]


def test_unknown_refusal__says_which_there_are() -> None:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        from netra.testing import refused_model

        with pytest.raises(ValueError, match="unavailable, rate_limited, refused"):
            refused_model.install(patch, "angry")
