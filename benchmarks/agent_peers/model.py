"""A Pydantic AI agent whose model is a function. Served by its AG-UI endpoint and by Netra."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pieces import pieces  # type: ignore[import-not-found]  # the endpoint runs outside the project


async def _stream(messages: list[Any], info: Any) -> AsyncIterator[str]:
    """Stream as many pieces as the question asks for."""
    count = int(messages[-1].parts[-1].content)
    async for text in pieces(count):
        yield text


agent = Agent(FunctionModel(stream_function=_stream))
