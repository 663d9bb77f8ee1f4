"""Imports the modules that define agents: every installed app's `agents.py`, and those of `NETRA_AGENT_MODULES`.

The import may take seconds, and some authors create objects in it that need a running event loop (LangGraph's async
savers). A serving process therefore does it once, on its loop's thread, before it is ready. If a module cannot be
imported, only its own agents are missing. `serve` and `worker` then refuse to start, and other servers are not ready.
"""

from __future__ import annotations

import asyncio
import pkgutil
import sys
import threading
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import module_has_submodule

from netra.agents.conf import conf
from netra.agents.registry import names as agent_names
from websocket_core.conf.values import near

REMEDY = "Fix or install what is named, or remove the module from NETRA_AGENT_MODULES or INSTALLED_APPS."
# Modules that these libraries import during a first run, which would block the event loop: imported together with them.
FIRST_RUN = {
    "anyio": ("anyio._backends._asyncio", "anyio.streams.stapled"),
    "langchain_core": ("langchain_core.tracers.context", "langchain_core.tracers.event_stream"),
    "langgraph": ("langgraph.pregel.main", "langgraph.pregel._loop"),
    "openai": ("openai.resources.chat", "openai.resources.responses"),
    "anthropic": ("anthropic.resources.messages",),
}
_results: dict[str, str | None] = {}  # module → the error of its import, or None
_empty: set[str] = set()  # imported modules that registered no agent
_done: object = None  # the setting for which everything was imported
_deferred = False
_lock = threading.RLock()


def modules() -> list[str]:
    """The modules that define agents."""
    found = ["netra.agents.builtin.golden_path"] if has_builtin_agents() else []
    found += [
        f"{config.name}.agents"
        for config in apps.get_app_configs()
        if config.name != "netra" and config.module and module_has_submodule(config.module, "agents")
    ]
    named: object = conf.AGENT_MODULES  # may have any type until the checks have run
    if isinstance(named, Collection) and not isinstance(named, str):
        found += [name for name in named if isinstance(name, str)]
    return found


def has_builtin_agents() -> bool:
    """Whether the agents `test` and `demo` are registered."""
    return settings.DEBUG if conf.BUILTIN_AGENTS is None else conf.BUILTIN_AGENTS


def import_all() -> None:
    """Import each of these modules once. Errors are kept for `failures`."""
    global _done
    if _done is not None and _done is conf.AGENT_MODULES:
        return
    with _lock:
        for module in modules():
            if module not in _results:
                _results[module] = _import(module)
        for library, lazy in FIRST_RUN.items():
            for name in lazy if library in sys.modules else ():
                with suppress(Exception):  # another version may lack it; then its first run imports what it needs
                    import_module(name)
        _done = conf.AGENT_MODULES


async def import_on_this_loop() -> None:
    """Import the agents on the event loop that executes their runs."""
    import_all()


def causes() -> dict[str, str]:
    """Modules that cannot be imported, each with the reason. Imports them if that has not happened yet."""
    import_all()
    return {module: why for module in modules() if (why := _results.get(module))}


def failures() -> list[str]:
    """The same, as one sentence each."""
    return [f"The agents of {module} cannot be imported: {why}" for module, why in causes().items()]


def failures_without_a_loop() -> list[str]:
    """The same in a thread without an event loop. The import runs on a temporary one."""
    if _deferred:
        return []
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(import_on_this_loop())
        finally:
            loop.close()
    return failures()


def is_deferred() -> bool:
    """Whether the import is left to the loop that will serve."""
    return _deferred


@contextmanager
def deferred() -> Iterator[None]:
    """Keep the system checks from importing agents, because this process will import them on its serving loop."""
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False


def without_agents() -> list[str]:
    """The modules of `NETRA_AGENT_MODULES` that were imported and have registered nothing."""
    import_all()
    return [module for module in modules() if module in conf.AGENT_MODULES and module in _empty]


def _import(module: str) -> str | None:
    """Import a module. Returns the reason, for people, if it cannot be imported."""
    before, known = len(agent_names.classes), module in sys.modules
    try:
        import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - reported to the operator, whatever the module raises
        return _why(module, error)
    if not known and len(agent_names.classes) == before:
        _empty.add(module)
    return None


def _why(module: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{module}.".startswith(f"{missing}."):
        return f"there is no module {missing}.{near(missing, _siblings(missing))}"
    if isinstance(error, ValueError | TypeError) and not module.replace(".", "_").isidentifier():
        return f"{module!r} is not the name of a module."
    text = "; ".join(f"{type(error).__name__}: {_text(error)}".strip().splitlines()[:2])[:500]
    if isinstance(error, SyntaxError):
        return f"{text}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename] or frames
    return f"{text} (at {own[-1].filename}, line {own[-1].lineno})"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as fault:  # noqa: BLE001 - a third-party class
        return f"(its text is not available: {type(fault).__name__})"


def _siblings(module: str) -> list[str]:
    """The modules in the package in which this one was expected."""
    package, _, _ = module.rpartition(".")
    path = list(getattr(sys.modules.get(package), "__path__", ())) if package else None
    prefix = f"{package}." if package else ""
    return [f"{prefix}{found.name}" for found in pkgutil.iter_modules(path)]
