"""Pydantic AI agents through the real runtime: what the journal has of their runs."""

import asyncio
import functools
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, CustomEvent, ModelRetry, RunContext, ToolReturn
from pydantic_ai.agent import WrapperAgent
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelMessage, NativeToolCallPart, NativeToolReturnPart
from pydantic_ai.models.test import TestModel

from integration.agents.adapters.pydantic_ai_models import call, heard, registered, script, thought
from integration.agents.adapters.runs import Runs, hold_commits, new_thread
from netra.agents.adapters.shown import shown
from netra.agents.errors import AgentError, ToolError


@dataclass(kw_only=True)
class Progress(CustomEvent):
    done: int


class Weather(BaseModel):
    city: str
    degrees: float


async def test_text_is_streamed_as_a_message_and_is_the_result(runs: Runs):
    name = registered(Agent(script(["It ", "will ", "rain."])))
    run = await runs.ask(name, "Tomorrow?")
    assert list(run.text("agent_message").values()) == ["It will rain."]
    assert run.end["result"] == "It will rain."
    (used,) = run.end["usage"]
    assert used["model"]
    assert used["output_tokens"] > 0


async def test_every_thought_and_text_is_a_stream_of_its_own(runs: Runs):
    model = script(
        [thought(0, "First, "), thought(0, "look."), "Looking. ", call(2, "look")],
        [thought(0, "Now "), thought(0, "answer."), "Seen."],
    )
    agent = Agent(model)

    @agent.tool_plain
    def look() -> str:
        return "rain"

    run = await runs.ask(registered(agent), "Look")
    assert list(run.text("agent_thinking").values()) == ["First, look.", "Now answer."]
    assert list(run.text("agent_message").values()) == ["Looking. ", "Seen."]
    order = [kind for kind, before in zip(run.types, [None, *run.types], strict=False) if kind != before]
    assert order == [
        "agent_started",
        "agent_thinking",
        "agent_message",
        "tool_executing",
        "tool_completed",
        "agent_thinking",
        "agent_message",
        "agent_completed",
    ]


async def test_a_tool_has_its_arguments_and_its_result(runs: Runs):
    agent = Agent(script([call(0, "forecast", '{"city": "Oslo", "days": 2}', "abc")], ["Done."]))

    @agent.tool_plain
    async def forecast(city: str, days: int) -> Weather:
        return Weather(city=city, degrees=days)

    run = await runs.ask(registered(agent), "Oslo?")
    (begun,), (done,) = run.data("tool_executing"), run.data("tool_completed")
    assert begun == {"tool_call_id": "abc", "tool_name": "forecast", "arguments": {"city": "Oslo", "days": 2}}
    assert done.pop("duration_ms") >= 0
    assert done == {
        "tool_call_id": "abc",
        "tool_name": "forecast",
        "status": "ok",
        "result": {"city": "Oslo", "degrees": 2.0},
    }


async def test_parallel_tools_overlap(runs: Runs):
    agent = Agent(script([call(0, "meet", '{"who": "a"}'), call(1, "meet", '{"who": "b"}')], ["Met."]))
    there: dict[str, asyncio.Event] = {"a": asyncio.Event(), "b": asyncio.Event()}

    @agent.tool_plain
    async def meet(who: str) -> str:
        there[who].set()
        await asyncio.wait_for(there["b" if who == "a" else "a"].wait(), 20)
        return f"{who} met"

    run = await runs.ask(registered(agent), "Meet")
    tools = [kind for kind in run.types if kind.startswith("tool")]
    assert tools == ["tool_executing", "tool_executing", "tool_completed", "tool_completed"]
    assert sorted(data["result"] for data in run.data("tool_completed")) == ["a met", "b met"]


async def test_a_tool_is_told_before_it_runs(runs: Runs):
    """Its event is committed when the tool begins: what a tool does is never unknown to the journal."""

    async def turn(messages: list[ModelMessage]):
        hold_commits()
        yield call(0, "act")

    agent: Agent[Any, str] = Agent(script(turn, ["Done."]), deps_type=object)

    @agent.tool
    async def act(ctx: RunContext[Any]) -> list[str]:
        return (await runs.committed(ctx.deps)).types

    run = await runs.ask(registered(agent, deps=lambda ctx, input: str(ctx.run_id)), "Act")
    assert run.data("tool_completed")[0]["result"] == ["agent_started", "tool_executing"]


async def test_retries_and_failures_show_only_what_their_author_wrote(runs: Runs):
    agent = Agent(
        script(
            [
                call(0, "retry", call_id="1"),
                call(1, "fail", call_id="2"),
                call(2, "error", call_id="3"),
                call(3, "misfit", '{"n": "x"}'),
            ],
            [call(0, "retry", call_id="1"), call(1, "unknown")],
            ["Enough."],
        ),
        retries=3,
    )
    tries = iter([ModelRetry("Try with a city."), None])

    @agent.tool_plain
    def retry() -> str:
        problem = next(tries)
        if problem:
            raise problem
        return "done"

    @agent.tool_plain
    def fail() -> str:
        raise ToolFailed("The shop is closed.")

    @agent.tool_plain
    def error() -> str:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [ToolError("The printer has no paper.")])

    @agent.tool_plain
    def misfit(n: int) -> str:
        return "never"

    run = await runs.ask(registered(agent), "Go")
    found = {(data["tool_call_id"], data["status"]): str(data.get("error")) for data in run.data("tool_completed")}
    assert found[("1", "error")] == "Try with a city."
    assert found[("2", "error")] == "The shop is closed."
    assert found[("3", "error")] == "The printer has no paper."
    assert found[("1~2", "ok")] == "None"  # the same id again, for another call
    assert "did not match" in found[("call-misfit-3", "error")]
    assert "does not have" in found[("call-unknown-1", "error")]
    assert run.end["result"] == "Enough."


async def test_a_broken_tool_fails_the_run_and_tells_no_secret(runs: Runs, caplog):
    agent = Agent(script([call(0, "broken")]))

    @agent.tool_plain
    def broken() -> str:
        raise RuntimeError("password=hunter2")

    run = await runs.ask(registered(agent), "Go")
    assert run.tools() == [("broken", "error")]
    assert run.types[-1] == "agent_failed"
    assert run.end["code"] == "agent_error"
    assert "hunter2" not in str(run.frames)
    assert "hunter2" in caplog.text  # where an operator finds it


async def test_an_agent_error_of_a_tool_is_shown(runs: Runs):
    agent = Agent(script([call(0, "locked")]))

    @agent.tool_plain
    def locked() -> str:
        raise AgentError("Your account is locked.")

    run = await runs.ask(registered(agent), "Go")
    assert run.end["message"] == "Your account is locked."
    assert run.data("tool_completed")[0]["error"] == "The tool failed."


async def test_structured_output_is_the_result(runs: Runs):
    agent = Agent(TestModel(custom_output_args={"city": "Oslo", "degrees": 3}), output_type=Weather)
    run = await runs.ask(registered(agent), "Oslo?")
    assert run.end["result"] == {"city": "Oslo", "degrees": 3.0}
    assert run.tools() == []  # the model's way of giving its answer is no tool of the author's


async def test_test_model_calls_every_tool(runs: Runs):
    agent = Agent(TestModel())

    @agent.tool_plain
    def one() -> int:
        return 1

    @agent.tool_plain
    def two(text: str) -> str:
        return text

    run = await runs.ask(registered(agent), "Go")
    assert sorted(run.tools()) == [("one", "ok"), ("two", "ok")]
    assert run.end["result"] == run.answer


async def test_deps_and_prompt_are_made_for_the_run(runs: Runs):
    seen: dict[str, Any] = {}

    async def turn(messages: list[ModelMessage]):
        seen["heard"] = heard(messages)
        yield call(0, "who")

    agent: Agent[str, str] = Agent(script(turn, ["Done."]), deps_type=str)

    @agent.tool
    def who(ctx: RunContext[str]) -> str:
        return ctx.deps

    async def deps(ctx, input):
        return f"{ctx.user_id} in {input['room']}"

    name = registered(agent, deps=deps, prompt=lambda input: f"room {input['room']}")
    run = await runs.ask(name, {"room": "kitchen"})
    assert seen["heard"] == ["user: room kitchen"]
    assert run.data("tool_completed")[0]["result"] == "ada in kitchen"


async def test_the_thread_is_remembered_for_the_same_agent_only(runs: Runs):
    said: list[list[str]] = []

    async def turn(messages: list[ModelMessage]):
        said.append(heard(messages))
        yield f"Answer {len(said)}."

    name, other = registered(Agent(script(turn))), registered(Agent(script(turn)))
    thread = new_thread()
    await runs.ask(name, "One", thread)
    await runs.ask(name, "Two", thread)
    await runs.ask(name, "Elsewhere", new_thread())
    await runs.ask(other, "Other agent", thread)
    await Runs("bob").ask(name, "Other person", thread)
    assert said[1] == ["user: One", "model: Answer 1.", "user: Two"]
    assert said[2:] == [["user: Elsewhere"], ["user: Other agent"], ["user: Other person"]]


async def test_what_is_remembered_is_bounded_and_keeps_the_system_prompt(runs: Runs):
    last: list[ModelMessage] = []

    async def turn(messages: list[ModelMessage]):
        last[:] = messages
        yield "Noted."

    agent = Agent(script(turn), system_prompt="Be brief.")
    name, thread = registered(agent, memory_bytes=6000), new_thread()
    for number in range(12):
        await runs.ask(name, f"{number} " + "x" * 900, thread)
    words = heard(last)
    assert words[-1].startswith("user: 11 ")
    assert 2 <= sum(word.startswith("user") for word in words) < 8
    assert [part.content for part in last[0].parts if part.part_kind == "system-prompt"] == ["Be brief."]


async def test_stopped_while_it_streams_the_model_request_is_ended(runs: Runs):
    ended = asyncio.Event()

    async def turn(messages: list[ModelMessage]):
        try:
            yield "It "
            await asyncio.sleep(60)
        finally:
            ended.set()

    run_id = await runs.start(registered(Agent(script(turn))), "Go")
    await runs.sees(run_id, lambda run: run.answer == "It ")
    await runs.stop(run_id)
    run = await runs.over(run_id)
    assert run.types[-1] == "agent_cancelled"
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize("how", ["stopped", "failed", "timeout"])
async def test_a_run_ended_in_a_tool_leaves_a_thread_that_goes_on(runs: Runs, how):
    """No call without a result may be left: providers refuse such a history."""
    cancelled = asyncio.Event()
    said: list[list[str]] = []

    async def again(messages: list[ModelMessage]):
        said.append(heard(messages))
        yield "Fine."

    async def turn(messages: list[ModelMessage]):
        if len([word for word in heard(messages) if word.startswith("user")]) > 1:
            async for chunk in again(messages):
                yield chunk
        else:
            yield "Trying. "
            yield call(1, "quick")
            yield call(2, "slow")

    agent = Agent(script(turn))

    @agent.tool_plain
    async def quick() -> str:
        return "quick result"

    @agent.tool_plain
    async def slow() -> str:
        try:
            await asyncio.sleep(0.05)
            if how == "failed":
                raise RuntimeError("no")
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    name, thread = registered(agent, timeout=1.5 if how == "timeout" else None), new_thread()
    run_id = await runs.start(name, "First", thread)
    if how == "stopped":
        await runs.sees(run_id, lambda run: ("quick", "ok") in run.tools() and run.types.count("tool_executing") == 2)
        await runs.stop(run_id)
    run = await runs.over(run_id)
    assert dict(run.tools()) == {"quick": "ok", "slow": "error" if how == "failed" else "cancelled"}
    assert run.types[-1] == ("agent_cancelled" if how == "stopped" else "agent_failed")
    assert cancelled.is_set() == (how != "failed")

    second = await runs.ask(name, "Second", thread)
    assert second.end["result"] == "Fine."
    assert said[0][:2] == ["user: First", "model: Trying. "]
    assert "quick success: quick result" in said[0]  # what was done stays done
    assert sum(word.startswith("slow") for word in said[0]) == 1  # and the other call has an answer, too


async def test_native_tools_of_the_provider_are_told(runs: Runs):
    agent = Agent(
        script(
            [
                {0: NativeToolCallPart("web_search", {"q": "rain"}, tool_call_id="n1")},
                {1: NativeToolReturnPart("web_search", {"found": 3}, tool_call_id="n1")},
                "Three pages.",
            ]
        )
    )
    run = await runs.ask(registered(agent), "Search")
    assert run.data("tool_executing")[0]["arguments"] == {"q": "rain"}
    assert run.data("tool_completed")[0]["result"] == {"found": 3}
    assert run.answer == "Three pages."


async def test_custom_events_and_odd_results_are_shown(runs: Runs):
    agent = Agent(script([call(0, "odd"), call(1, "huge"), call(2, "rich")], ["Done."]))

    @agent.tool
    async def odd(ctx: RunContext[Any]) -> Any:
        await ctx.emit(Progress(done=1))
        return {"set": {1}, "nan": float("nan"), "object": agent.__class__}

    @agent.tool_plain
    def huge() -> str:
        return "é" * 1_000_000

    @agent.tool_plain
    def rich() -> ToolReturn[str]:
        return ToolReturn("value", metadata={"secret": object()})

    run = await runs.ask(registered(agent), "Go")
    results = {data["tool_name"]: data["result"] for data in run.data("tool_completed")}
    assert results["odd"] == {"set": [1], "nan": "NaN", "object": "<ABCMeta>"}
    assert results["huge"] == {"too_large": 2_000_002, "beginning": "é" * 2000}
    assert results["rich"] == "value"
    (state,) = run.data("agent_state")
    assert state["state"]["done"] == 1


async def test_halves_of_characters_are_put_together(runs: Runs):
    run = await runs.ask(registered(Agent(script(["a\ud83d", "\ude00b", "\ud83d", "!", "c\ud83d"]))), "Emoji")
    assert run.answer == "a😀b\ufffd!c\ufffd"


async def test_a_thousand_deltas_arrive_whole(runs: Runs):
    words = [f"w{number} " for number in range(1000)]
    run = await runs.ask(registered(Agent(script(list(words)))), "Go")
    assert run.answer == "".join(words) == run.end["result"]


async def test_sync_tools_are_in_agents_threads(runs: Runs):
    """Those give their database connections back, and one user's tools leave some to others."""
    agent = Agent(script([call(0, "where")], ["Done."]))

    @agent.tool_plain
    def where() -> str:
        return threading.current_thread().name

    (done,) = (await runs.ask(registered(agent), "Where?")).data("tool_completed")
    assert done["result"].startswith("netra-agent")


class Guarded:
    """An agent with a guard agent of its own, which is asked in one of the places that an author's code runs in."""

    def __init__(self, where: str) -> None:
        self.said: list[list[str]] = []
        self.how = "well"
        self.guard = Agent(TestModel(custom_output_text="No objection."))
        options: dict[str, Any] = {"deps": self.deps} if where == "deps" else {}
        options |= {"prompt": self.prompt} if where == "prompt" else {}
        capabilities = [ProcessHistory(self.process)] if where == "history" else []
        output: Any = [str, self.output] if where == "output" else str
        self.agent: Agent[Any, Any] = Agent(script(self.turn), output_type=output, capabilities=capabilities)
        self.agent.instructions(self.instruct if where == "instructions" else lambda: "Be brief.")
        if where == "tool":
            self.agent.tool_plain(self.tool)
        self.where = where
        self.name = registered(self.agent, **options)

    async def ask_guard(self) -> None:
        await self.guard.run("GUARD: is this allowed?")
        if self.how != "well" and self.where in ("deps", "prompt", "instructions"):
            await self.end()

    async def end(self) -> None:
        """Fail or wait to be stopped."""
        if self.how == "failed":
            raise RuntimeError
        if self.how == "stopped":
            await asyncio.Event().wait()

    async def deps(self, ctx: Any, input: Any) -> None:
        await self.ask_guard()

    async def prompt(self, input: Any) -> str:
        await self.ask_guard()
        return str(input["message"])

    async def instruct(self) -> str:
        await self.ask_guard()
        return "Be brief."

    async def process(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        await self.ask_guard()
        return messages

    async def output(self, text: str) -> str:
        """Answer."""
        await self.ask_guard()
        return text

    async def tool(self) -> str:
        await asyncio.gather(self.ask_guard(), self.ask_guard())
        return "asked"

    async def turn(self, messages: list[ModelMessage]):
        words = heard(messages)
        self.said.append(words)
        if self.where == "tool" and not words[-1].startswith("tool "):
            yield call(0, "tool")
            return
        await self.end()
        if self.where == "output":
            yield call(0, "final_result_output", '{"text": "Fine."}')
        else:
            yield "Fine."


@pytest.mark.parametrize("how", ["failed", "stopped"])
@pytest.mark.parametrize("where", ["deps", "prompt", "instructions", "history", "output", "tool"])
async def test_nobody_elses_conversation_becomes_the_threads(runs: Runs, where, how):
    guarded = Guarded(where)
    first, thread = new_thread(), new_thread()
    for question in ("my name is Ada", "I live in Oslo"):
        await runs.ask(guarded.name, question, thread)
    guarded.how = how
    for place in (first, thread):  # in a thread that has nothing yet, and in one that has
        run_id = await runs.start(guarded.name, "boom", place)
        await runs.until(run_id, lambda run: run.status == "running" or run.status == "failed")
        if how == "stopped":
            await asyncio.sleep(0)
            await runs.stop(run_id)
        await runs.over(run_id)
    guarded.how = "well"
    for place in (first, thread):
        await runs.ask(guarded.name, "what do you know", place)
        assert "GUARD" not in str(guarded.said[-1])
        assert "what do you know" in str(guarded.said[-1])
    assert "my name is Ada" in str(guarded.said[-1])
    assert "I live in Oslo" in str(guarded.said[-1])


async def test_runs_at_the_same_time_keep_their_conversations(runs: Runs):
    said: dict[str, list[str]] = {}

    async def turn(messages: list[ModelMessage]):
        words = heard(messages)
        said[words[-1]] = words
        await asyncio.sleep(0.01)
        if "boom" in words[-1]:
            raise RuntimeError
        yield "Fine."

    name = registered(Agent(script(turn)))
    threads = [new_thread() for _ in range(5)]
    for question in ("hello", "boom", "again"):
        await asyncio.gather(*(runs.ask(name, f"{question} {n}", thread) for n, thread in enumerate(threads)))
    for number in range(5):
        assert {word[-1] for word in said[f"user: again {number}"] if word.startswith("user")} == {str(number)}
        assert len([word for word in said[f"user: again {number}"] if word.startswith("user")]) == 3


class Blob(BaseModel):
    data: bytes
    share: float
    name: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "NaN"),
        ({"share": float("inf"), "half": "\ud83d"}, {"share": "Infinity", "half": "\ufffd"}),
        (Blob(data=b"\xff\x00", share=float("nan"), name="\ud83d"), {"data": "_wA=", "share": "NaN", "name": "\ufffd"}),
        (b"\xff", "_w=="),
        ({"who": object()}, {"who": "<object>"}),
        ({1, 2}, [1, 2]),
        ({1: "one"}, {"1": "one"}),
    ],
    ids=["nan", "dict", "model", "bytes", "object", "set", "keys"],
)
async def test_what_can_be_shown_of_a_tool_can_be_a_result(runs: Runs, value, expected):
    """The same value, in all the places that a value can be shown in."""

    async def output(text: str) -> Any:
        """Answer."""
        return value

    agent: Agent[Any, Any] = Agent(
        script([call(0, "tool")], [call(0, "final_result", '{"text": "x"}')]), output_type=output, deps_type=object
    )

    @agent.tool
    async def tool(ctx: RunContext[Any]) -> Any:
        await ctx.deps.publish_state(shown(value))
        return ToolReturn("seen", metadata=value)

    run = await runs.ask(registered(agent, deps=lambda ctx, input: ctx), "Go")
    assert run.types[-1] == "agent_completed", run.end
    assert run.end["result"] == run.data("agent_state")[0]["state"] == expected


class Twice(WrapperAgent[Any, Any]):
    """A wrapper within a wrapper, as durable execution has them."""


async def test_a_wrapped_agent_with_an_output_validator_runs(runs: Runs):
    async def turn(messages: list[ModelMessage]):
        yield "good" if "Better." in str(messages) else "bad"

    agent = Agent(script(turn))

    @agent.output_validator
    def check(text: str) -> str:
        if text == "bad":
            raise ModelRetry("Better.")
        return text

    run = await runs.ask(registered(Twice(WrapperAgent(agent))), "Go")
    assert (run.types[-1], run.end.get("result")) == ("agent_completed", "good")


class Deps:
    """Made of the context and the input; or called again, when an object of it is given."""

    def __init__(self, ctx: Any = None, input: Any = None) -> None:
        self.made_of = None if input is None else input["message"]

    def __call__(self, ctx: Any, input: Any) -> Any:
        return Deps(ctx, {"message": f"called {input['message']}"})


async def _async_deps(greeting: str, ctx: Any, input: Any) -> Deps:
    return Deps(ctx, {"message": f"{greeting} {input['message']}"})


@pytest.mark.parametrize(
    ("deps", "deps_type", "made_of"),
    [
        (Deps, object, "Go"),
        (Deps, Deps, "Go"),
        (functools.partial(_async_deps, "hello"), Deps, "hello Go"),
        (Deps(), object, "called Go"),
        (Deps(), Deps, None),
    ],
    ids=["class", "class of the type", "partial", "callable object", "object of the type"],
)
async def test_deps_that_can_be_called_are(runs: Runs, deps, deps_type, made_of):
    agent: Agent[Any, str] = Agent(script([call(0, "look")], ["Done."]), deps_type=deps_type)

    @agent.tool
    def look(ctx: RunContext[Any]) -> Any:
        return ctx.deps.made_of

    run = await runs.ask(registered(agent, deps=deps), "Go")
    assert run.data("tool_completed")[0]["result"] == made_of
