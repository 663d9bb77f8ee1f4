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
    """Return a new event loop: uvloop's, or asyncio's if uvloop is not installed."""
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
    """Make Twisted's reactor run on `new_event_loop()`. May be called repeatedly.

    Without this, importing `daphne.server` puts the reactor on asyncio's own loop. If that has happened already (for
    instance because an app in INSTALLED_APPS imports Daphne) and the reactor is not running yet, it is moved.

    Raises:
        RuntimeError: another kind of reactor is installed, or the reactor is running.
    """
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        asyncioreactor.install(new_event_loop())  # type: ignore[no-untyped-call]
        return
    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise RuntimeError("Another Twisted reactor is installed. Do not import twisted.internet.reactor before Netra.")
    if reactor.running:
        raise RuntimeError("Twisted's reactor is already running; a process can have only one server.")
    _move(reactor)


def _move(reactor: Any) -> None:
    """Move a reactor that is not running yet to Netra's loop: it only has internal readers (a waker), no timer."""
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
