"""A task that outlives a request inherits nothing from it."""

import ast
from contextvars import ContextVar
from pathlib import Path

import websocket_core
from websocket_core.process import log_context
from websocket_core.process.tasks import process_task

ROOT = Path(websocket_core.__file__).parent.parent
OF_WHO_ASKED: ContextVar[str] = ContextVar("of_who_asked")

# Where a task may inherit a context: whoever creates it waits for its end, or it works for one socket or loop alone.
TASKS_OF_THEIR_CREATOR = {
    "agents/workers/procrastinate.py": 3,
    "agents/execution/bare.py": 1,
    "agents/execution/execution.py": 2,
    "websocket_core/connections/connection.py": 3,
    "websocket_core/consumer/conversation.py": 1,
    "websocket_core/testing/sockets.py": 1,
    "websocket_core/connections/watch/watchdog.py": 1,
    "netra/server/asgi_server.py": 1,
    "netra/server/shutdown.py": 1,
    "netra/serving/lifespan.py": 2,
    "netra/streams/stream.py": 1,
    "netra/testing/bell.py": 1,
}


async def test_process_task__inherits_nothing():
    OF_WHO_ASKED.set("a request")
    log_context.bind("ann", run="r1")

    async def look() -> tuple[str, dict[str, str]]:
        return OF_WHO_ASKED.get("nothing"), dict(log_context.current())

    assert await process_task(look(), "looks") == ("nothing", {})


async def test_process_task__log_ids_on_wish():
    OF_WHO_ASKED.set("a request")
    log_context.bind("ann", run="r1")

    async def look() -> tuple[str, dict[str, str]]:
        return OF_WHO_ASKED.get("nothing"), dict(log_context.current())

    found, ids = await process_task(look(), "looks", keeps_log_ids=True)
    assert (found, ids["run"]) == ("nothing", "r1")


def test_every_other_task__belongs_to_its_creator():
    found: dict[str, int] = {}
    for room in ("agents", "websocket_core", "netra"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name == "websocket_core/process/tasks.py" or name.startswith("netra/loadtest/"):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("create_task", "ensure_future"):
                    found[name] = found.get(name, 0) + 1
    assert found == TASKS_OF_THEIR_CREATOR, "use websocket_core.process.tasks, or say here why it need not be"
