"""Compares adapted agents with their frameworks' own streams: events per second, in one process, in turn.

    .venv/bin/pip install ag-ui-protocol
    .venv/bin/python benchmarks/adapters.py [--events 20000] [--rounds 5]

Each pair runs the same agent: once through the framework's own stream (Pydantic AI's AG-UI stream with its encoding;
LangGraph's `astream`), which keeps nothing, and once through Netra, from the start of the run to the commit of its last
event in SQLite. Rounds are interleaved; the ratio is that of the medians. The target is 0.8, for text.
`agent_servers.py` measures both behind their servers.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypedDict

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
_folder = tempfile.TemporaryDirectory(prefix="netra-bench-")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "netra.settings",
    "NETRA_DATA_DIR": _folder.name,
    "SECRET_KEY": "benchmark-" + "k" * 50,
    "LOG_LEVEL": "WARNING",
}

import django

django.setup()

from ag_ui.core import RunAgentInput, UserMessage
from django.core.management import call_command
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter

from integration.agents.adapters.langgraph_models import chat_graph, script
from netra.agents.adapters.langgraph import register_graph
from netra.agents.adapters.pydantic_ai import register_agent
from netra.agents.authoring.context import AgentContext
from netra.agents.models import Run
from netra.agents.registry import agent as register_native
from netra.agents.service import get_runtime
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.ids import new_id
from websocket_core.protocols.run_service import StartRequest

TARGET = 0.8
TEXT = "x" * 10  # about a token
EVENTS = 0  # set by main
Measured = Callable[[], Awaitable[None]]


async def _texts(*_: Any) -> AsyncIterator[str]:
    for _number in range(EVENTS):
        await asyncio.sleep(0)  # like a model that waits for its next chunk
        yield TEXT


class State(TypedDict):
    """State of the graphs that write."""

    done: bool


def writing(item: Any) -> Any:
    """A graph whose node writes custom data."""

    async def node(state: State) -> dict[str, Any]:
        write = get_stream_writer()
        for _ in range(EVENTS):
            await asyncio.sleep(0)
            write(item)
        return {"done": True}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()


async def through_netra(agent: str, given: Any) -> None:
    """A run, until its last event is committed."""
    run_id = new_id()
    get_gateway().serve()  # this loop lasts until the run is over
    await get_runtime().start(StartRequest(user_id="bench", agent_type=agent, run_id=run_id, input=given))
    await get_runtime().runner.idle()
    status = await db.read(lambda: Run.objects.values_list("status", flat=True).get(run_id=run_id))
    assert status == "completed", status


def pairs() -> dict[str, tuple[Measured, Measured]]:
    """By name: the framework's own stream, and the same through Netra."""
    agent = Agent(FunctionModel(stream_function=_texts))
    register_agent("pydantic-ai", agent)

    async def ag_ui() -> None:
        asked = RunAgentInput(
            thread_id=new_id(),
            run_id=new_id(),
            state=None,
            messages=[UserMessage(id="1", content="go")],
            tools=[],
            context=[],
            forwarded_props=None,
        )
        adapter = AGUIAdapter(agent=agent, run_input=asked)
        size = 0
        async for text in adapter.encode_stream(adapter.run_stream()):
            size += len(text)
        assert size > EVENTS * len(TEXT)

    tokens = chat_graph(script(_texts)).compile()
    graphs = {
        "tokens": (tokens, "messages", {"messages": [("human", "go")]}, {"message": "go"}),
        "custom text": (writing(TEXT), "custom", {"done": False}, {"done": False}),
        "custom objects": (writing({"text": TEXT}), "custom", {"done": False}, {"done": False}),
    }
    found: dict[str, tuple[Measured, Measured]] = {
        "Pydantic AI: AG-UI stream": (ag_ui, lambda: through_netra("pydantic-ai", {"message": "go"}))
    }
    for name, (graph, mode, own_input, netra_input) in graphs.items():
        registered = name.replace(" ", "-")
        register_graph(registered, graph, channels=[name for name in netra_input if name != "message"])

        async def stream(graph: Any = graph, mode: str = mode, given: Any = own_input) -> None:
            count = 0
            async for _ in graph.astream(given, stream_mode=mode):
                count += 1
            assert count >= EVENTS

        found[f"LangGraph: astream, {name}"] = (
            stream,
            lambda registered=registered, given=netra_input: through_netra(registered, given),  # type: ignore[misc]
        )

    @register_native("native")
    async def native(ctx: AgentContext, input: Any) -> None:
        for _ in range(EVENTS):
            await asyncio.sleep(0)
            await ctx.publish_state({"text": TEXT})

    found["Netra's own agent, the same objects"] = (
        lambda: through_netra("native", {}),
        lambda: through_netra("custom-objects", {"done": False}),
    )
    return found


async def measure(rounds: int) -> bool:
    """Run the rounds and print the table. Returns whether every ratio meets its target."""
    measured = pairs()
    rates: dict[tuple[str, int], list[float]] = {}
    costs: dict[tuple[str, int], list[float]] = {}  # processor seconds
    for number in range(rounds + 1):  # the first one warms up
        for name, sides in measured.items():
            for side, run in enumerate(sides):
                began, worked = time.perf_counter(), time.process_time()
                await run()
                if number:
                    rates.setdefault((name, side), []).append(EVENTS / (time.perf_counter() - began))
                    costs.setdefault((name, side), []).append(time.process_time() - worked)
    print(f"\n{EVENTS:,} events a run, {rounds} rounds, medians, events/s")
    print(f"{'':36} {'own stream':>12} {'Netra':>12} {'ratio':>7} {'CPU':>7}")
    good = True
    for name in measured:
        own, ours = (statistics.median(rates[name, side]) for side in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(rates[name, 0], rates[name, 1], strict=True))
        cpu = statistics.median(a / b for a, b in zip(costs[name, 0], costs[name, 1], strict=True))
        good &= ratio >= TARGET
        print(f"{name:36} {own:12,.0f} {ours:12,.0f} {ratio:7.2f} {cpu:7.2f}")
    return good


def main() -> None:
    """Parse the command line, measure."""
    global EVENTS
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    EVENTS = options.events
    logging.disable(logging.INFO)
    call_command("migrate", "--no-input", verbosity=0)
    good = asyncio.run(measure(options.rounds))
    db.close_all()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
