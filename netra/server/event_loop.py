"""Twisted's reactor on uvloop.

Import this before anything imports `twisted.internet.reactor` or `daphne.server`, and call `install()`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet import asyncioreactor


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop: uvloop's, or asyncio's where uvloop is not installed."""
    try:
        import uvloop  # not on every platform
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    if "ASGI_THREADS" in os.environ:  # as Daphne reads it: the threads of loop.run_in_executor
        loop.set_default_executor(ThreadPoolExecutor(max_workers=int(os.environ["ASGI_THREADS"])))
    return loop


def install() -> None:
    """Make Twisted's reactor run on `new_event_loop()`. Again is fine.

    Without this, importing `daphne.server` puts the reactor on asyncio's own loop. When that has happened already (an
    app in INSTALLED_APPS imports Daphne, for instance) and the reactor does not run yet, it is moved.

    Raises:
        RuntimeError: another kind of reactor is installed, or the reactor runs.
    """
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        asyncioreactor.install(new_event_loop())  # type: ignore[no-untyped-call]
        return
    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise RuntimeError("Another Twisted reactor is installed. Do not import twisted.internet.reactor before Netra.")
    if reactor.running:
        raise RuntimeError("Twisted's reactor runs already; there can be one server in a process.")
    _move(reactor)


def _move(reactor: Any) -> None:
    """Put a reactor that does not run yet on a loop of ours: it has only readers of its own (a waker), and no timer."""
    loop = new_event_loop()
    if type(reactor._asyncioEventloop) is type(loop):
        loop.close()
        return
    readers = list(reactor.getReaders())
    for reader in readers:
        reactor.removeReader(reader)
    reactor._asyncioEventloop = loop
    for reader in readers:
        reactor.addReader(reader)
    if reactor.getDelayedCalls():
        reactor._scheduledAt = None
        reactor._timerHandle = None
        reactor._reschedule()
