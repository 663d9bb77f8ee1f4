"""Names the agent that blocks the event loop, with place and duration. Blocking code in one run delays everybody's."""

from __future__ import annotations

import asyncio
import logging
import sys
import sysconfig
import threading
import time
from contextvars import ContextVar
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from netra.agents.conf import conf

log = logging.getLogger(__name__)

run_name: ContextVar[str] = ContextVar("netra_run_name")  # the run that the current code belongs to; tasks inherit it
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class LoopMonitor:
    """Watches one event loop from a thread, while there are runs.

    The thread repeatedly schedules a callback on the loop. If it has not run within `BLOCKING_SECONDS`, the loop's
    current task is the one that blocks. Frameworks run tools and nodes in their own tasks, so every task is recorded
    with its run.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = threading.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to watch. Must be called in the loop's thread."""
        if self._loop is None:
            self._loop = loop
            self._stop = threading.Event()  # a thread that is ending may still read the earlier one
            tasks = _Tasks(loop)
            if loop.get_task_factory() is None:  # an application's own factory is kept
                loop.set_task_factory(tasks.make)
            target, args = self._watch, (tasks, self._stop)
            threading.Thread(target=target, args=args, name="netra-loop-monitor", daemon=True).start()

    def stop(self) -> None:
        """Stop without waiting for the thread, which checks for this several times a second."""
        self._stop.set()
        loop, self._loop = self._loop, None
        if loop is not None and isinstance(getattr(loop.get_task_factory(), "__self__", None), _Tasks):
            loop.set_task_factory(None)

    @staticmethod
    def _watch(tasks: _Tasks, stop: threading.Event) -> None:
        limit: float = conf.BLOCKING_SECONDS
        loop = tasks.loop
        while not stop.wait(limit / 2):
            raised = threading.Event()
            asked = time.monotonic()
            try:
                loop.call_soon_threadsafe(raised.set)
            except RuntimeError:  # the loop is closed
                return
            if raised.wait(limit):
                continue
            try:
                name, place = tasks.running(), tasks.place()
            except Exception as error:  # noqa: BLE001 - the frames change while they are read
                log.debug("the code that blocks the event loop could not be determined: %s", error)
                name, place = None, "?"
            while not raised.wait(0.05):
                if stop.is_set() or loop.is_closed():
                    return
                name = name or tasks.running()
            log.warning(
                "%s blocked the event loop for %.1f s in %s and delayed every run; call blocking code with "
                "ctx.to_thread, or make the agent a plain `def`",
                name or "something",
                time.monotonic() - asked,
                place,
            )


class _Tasks:
    """The tasks of one event loop, with the runs to which they belong."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._thread_id = threading.get_ident()
        self._runs: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()

    def make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        """The loop's task factory."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        run = run_name.get(None)
        if run is not None:
            self._runs[task] = run
        return task

    def running(self) -> str | None:
        """The name of what the loop executes at present: a run, otherwise a task."""
        task = asyncio.current_task(self.loop)
        return None if task is None else self._runs.get(task) or task.get_name()

    def place(self) -> str:
        """The current position, preferably in the author's code and not in a library."""
        innermost = frame = sys._current_frames().get(self._thread_id)
        while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
            frame = frame.f_back
        return _described(frame or innermost)


def _described(frame: FrameType | None) -> str:
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_qualname})"
