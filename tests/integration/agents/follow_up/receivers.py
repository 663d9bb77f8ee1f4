"""Receivers and agents for servers of tests: `TOLD` names the file that receivers write to."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from django.dispatch import receiver

from netra.agents import agent
from netra.signals import run_finished, run_started

TOLD = Path(os.environ.get("TOLD", os.devnull))


def _write(*words: Any) -> None:
    with TOLD.open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


@receiver(run_started)
def began(run: Any, **kwargs: Any) -> None:
    """Tells that a run has begun."""
    _write("began", run.run_id, os.getpid())


@receiver(run_finished)
def ended(run: Any, **kwargs: Any) -> None:
    """Tells of an end; with `HOLD` it never comes that far."""
    if os.environ.get("HOLD"):
        _write("holds", run.run_id, os.getpid())
        threading.Event().wait()
    _write("ended", run.run_id, os.getpid(), run.status, run.error.code if run.error else "-")


@agent("quick")
async def quick(ctx: Any, input: Any) -> str:
    """At once."""
    return "done"


@agent("endless")
async def endless(ctx: Any, input: Any) -> None:
    """Never."""
    await asyncio.Event().wait()
