"""Agents people already have, registered in one line: each framework is a small package behind an extra.

`agents.adapters.pydantic_ai` (needs Pydantic AI), `agents.adapters.langgraph` (needs LangGraph).
"""
