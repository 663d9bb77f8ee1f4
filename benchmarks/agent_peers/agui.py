"""The agent behind Pydantic AI's own AG-UI endpoint: HTTP server-sent events, on uvicorn with uvloop. Stores nothing.

python agui.py PORT, in an environment of its own.
"""

import sys

import uvicorn
from model import agent
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def run(request: Request) -> Response:
    """One run."""
    return await AGUIAdapter.dispatch_request(request, agent=agent)


app = Starlette(routes=[Route("/", run, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", loop="uvloop")
