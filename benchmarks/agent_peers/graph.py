"""A one-node graph without a model that streams custom events. Served by `langgraph dev` and by Netra.

Where `langgraph dev` runs it there is no project, only this folder.
"""

import sys
from pathlib import Path
from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pieces import pieces  # type: ignore[import-not-found]  # see above


class State(TypedDict):
    """How many events to write."""

    events: int


async def work(state: State) -> dict[str, int]:
    """Write them."""
    write = get_stream_writer()
    async for text in pieces(state["events"]):
        write({"text": text})
    return {"events": state["events"]}


graph = StateGraph(State).add_node("work", work).add_edge(START, "work").compile()
