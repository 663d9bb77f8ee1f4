"""Agents people already have, registered in one line: each framework is a small package behind an extra.

`netra.agents.adapters.pydantic_ai` (needs Pydantic AI), `netra.agents.adapters.langgraph` (needs LangGraph).
"""
