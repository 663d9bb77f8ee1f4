"""Agents for servers that are killed while a person is asked: a Pydantic AI agent and a LangGraph graph.

Both sell what they are told to, after an approval, and answer with everything they know of the thread.
"""

from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from integration.agents.adapters import langgraph_models, pydantic_ai_models
from netra.agents.adapters.langgraph import register_graph
from netra.agents.adapters.pydantic_ai import register_agent


async def _stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    if pydantic_ai_models.requests_since_asked(messages) == 1:
        yield {0: DeltaToolCall("sell", '{"what": "boat"}', tool_call_id=f"sale-{len(messages)}")}
    else:
        yield "; ".join(pydantic_ai_models.heard(messages))


seller: Agent[None, Any] = Agent(FunctionModel(stream_function=_stream))


@seller.tool_plain(requires_approval=True)
async def sell(what: str) -> str:
    """Sell."""
    return f"sold {what}"


register_agent("seller", seller)


@tool("sell")
async def sell_in_graph(what: str) -> str:
    """Sell."""
    return f"sold {what}"


async def ask(state: MessagesState) -> dict[str, Any]:
    """Ask, then sell."""
    if not interrupt({"tool_name": "sell", "arguments": {"what": "boat"}}):
        return {"messages": [AIMessage("not sold")]}
    return {"messages": [AIMessage(await sell_in_graph.ainvoke({"what": "boat"}))]}


async def tell(state: MessagesState) -> dict[str, Any]:
    """Answer with all that was heard."""
    messages: list[BaseMessage] = list(state["messages"])
    return {"messages": [AIMessage("; ".join(langgraph_models.heard(messages)))]}


builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
builder.add_node("ask", ask)
builder.add_node("tell", tell)
builder.add_edge(START, "ask")
builder.add_edge("ask", "tell")
builder.add_edge("tell", END)
register_graph("selling-graph", builder)
