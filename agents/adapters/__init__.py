"""Adapters: existing agents of other frameworks, registered in one line. Each framework needs an extra.

`netra.agents.adapters.pydantic_ai` (needs Pydantic AI), `netra.agents.adapters.langgraph` (needs LangGraph).
"""
