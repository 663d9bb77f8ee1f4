"""Imports inside functions: each is known here, and says beside itself why it does not stand at the top.

An import at the top shows what a module needs, to readers and to whoever loads it. One inside a function hides it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

READY = "apps may import models from `ready` on"
OPTIONAL = "the library may not be there"
SLOW = "whoever does not need it should not wait for it"
EARLY = "the module is loaded before there are models"
# (file, what it imports late): why
KNOWN = {
    ("agents/apps.py", "netra.agents"): READY,
    ("agents/apps.py", "netra.agents.ledger"): READY,
    ("agents/apps.py", "netra.agents.service"): READY,
    ("agents/management/commands/worker.py", "netra.agents.workers.procrastinate"): OPTIONAL,
    ("agents/management/commands/worker.py", "uvloop"): OPTIONAL,
    ("netra/__init__.py", "django.core.exceptions"): SLOW,
    ("netra/admin_site.py", "netra.front_page.page"): EARLY,
    ("netra/apps.py", "netra"): READY,
    ("netra/apps.py", "netra.agents.follow_up.facts"): READY,
    ("netra/apps.py", "netra.site.runs"): SLOW,
    ("netra/apps.py", "netra.logs"): OPTIONAL,
    ("netra/asgi.py", "netra.serving.application"): EARLY,
    ("netra/management/commands/serve.py", "daphne.access"): OPTIONAL,
    ("netra/management/commands/serve.py", "netra.logs"): OPTIONAL,
    ("netra/management/commands/serve.py", "netra.server"): OPTIONAL,
    ("netra/management/commands/serve.py", "netra.server.asgi_server"): OPTIONAL,
    ("netra/project/apps.py", "django.contrib.sessions.models"): READY,
    ("netra/project/apps.py", "netra.project"): READY,
    ("netra/project/apps.py", "websocket_core.retention.pruning"): READY,
    ("netra/project/configuration/database.py", "netra.project.configuration.guarded_connection"): SLOW,
    ("netra/project/configuration/guarded_connection.py", "websocket_core.process.heartbeat"): EARLY,
    ("netra/server/event_loop.py", "uvloop"): OPTIONAL,
    ("websocket_core/apps.py", "websocket_core.auth"): READY,
    ("websocket_core/apps.py", "websocket_core.checks"): READY,
    ("websocket_core/apps.py", "websocket_core.database"): READY,
    ("websocket_core/apps.py", "websocket_core.process"): READY,
    ("websocket_core/auth/oidc/keys.py", "websocket_core.auth.oidc.fetch"): OPTIONAL,
    ("websocket_core/limits/sharing.py", "redis.asyncio"): OPTIONAL,
    ("websocket_core/limits/sharing.py", "redis.asyncio.retry"): OPTIONAL,
    ("websocket_core/limits/sharing.py", "redis.backoff"): OPTIONAL,
}


def late_imports() -> Iterator[tuple[str, str, str]]:
    """The file, the module, and the lines from the function's beginning to the end of the import."""
    for folder in ("agents", "netra", "websocket_core"):
        for path in (ROOT / folder).rglob("*.py"):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text()
            for function in ast.walk(ast.parse(text)):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    for node in ast.walk(function):
                        if isinstance(node, ast.Import | ast.ImportFrom) and not name.startswith("netra/agents/"):
                            module = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
                            yield name, module, "\n".join(text.splitlines()[function.lineno : node.end_lineno])


def test_imports_inside_functions__are_the_known_ones() -> None:
    assert {(name, module) for name, module, _ in late_imports()} == set(KNOWN)


def test_imports_inside_functions__say_why() -> None:
    assert [(name, module) for name, module, lines in late_imports() if "# " not in lines] == []


# Files that import for the type checker alone: the lazy faces, and those of circles that are still open.
FOR_TYPES_ALONE = {
    "agents/__init__.py",
    "netra/__init__.py",
    "websocket_core/journal/quota.py",
}


def imports_for_types_alone() -> Iterator[str]:
    for folder in ("agents", "netra", "websocket_core"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                late = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                if late and any(isinstance(each, ast.Import | ast.ImportFrom) for each in ast.walk(node)):
                    yield path.relative_to(ROOT).as_posix()


def test_imports_for_types_alone__are_the_known_ones() -> None:
    """A type that cannot be imported at the top is a circle for the reader. A protocol opens it."""
    assert set(imports_for_types_alone()) - FOR_TYPES_ALONE == set()
