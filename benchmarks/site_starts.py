"""Compares starting a run from a site's code with starting one over a socket.

`python -m benchmarks.site_starts [--starts N] [--rounds N]`: both in one serving process, on the configured database,
each alone and one after the other, in interleaved rounds; the time from the call to the answer. It prints the medians
and their ratio, and ends with 1 when that is above the target.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websocket_core.testing.sockets import Client

TARGET = 1.3
USER = "bench"


async def over_the_socket(client: Client, starts: int) -> float:
    """Seconds of a start over a socket: from the frame to `agent_started`. The median."""
    taken = []
    for _ in range(starts):
        began = time.perf_counter()
        run = await client.start("bench")
        taken.append(time.perf_counter() - began)
        await client.finish(run)
    return statistics.median(taken)


async def by_netra(starts: int, *, blocking: bool) -> float:
    """Seconds of a start by `netra.start` in a thread, or by `netra.astart`. The median."""
    import netra  # Django is set up by now

    def begin() -> tuple[float, Any]:
        began = time.perf_counter()
        run = netra.start("bench", user=USER)
        return time.perf_counter() - began, run

    taken = []
    for _ in range(starts):
        if blocking:
            seconds, run = await asyncio.to_thread(begin)
        else:
            began = time.perf_counter()
            run = await netra.astart("bench", user=USER)
            seconds = time.perf_counter() - began
        taken.append(seconds)
        await run.await_()
    return statistics.median(taken)


async def measure(starts: int, rounds: int) -> dict[str, float]:
    """The median of each way, in milliseconds."""
    from netra.agents.registry import agent  # Django is set up by now
    from netra.project.asgi import application
    from websocket_core.auth import tokens
    from websocket_core.database import db
    from websocket_core.gateway import get_gateway
    from websocket_core.process.lifecycle import lifecycle
    from websocket_core.testing.sockets import connect

    @agent("bench")
    async def bench(ctx: Any, input: Any) -> None:
        pass

    get_gateway().serve()
    text, _ = await db.read(tokens.issue, USER)
    found: dict[str, list[float]] = {"socket": [], "netra.start": [], "netra.astart": []}
    async with connect(application, text) as client:
        for number in range(rounds + 1):
            measured = {
                "socket": await over_the_socket(client, starts),
                "netra.start": await by_netra(starts, blocking=True),
                "netra.astart": await by_netra(starts, blocking=False),
            }
            for name, seconds in measured.items() if number else ():  # the first round warms everything up
                found[name].append(1000 * seconds)
    await lifecycle.drain()
    return {name: statistics.median(rounds_of) for name, rounds_of in found.items()}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        os.environ.setdefault("SECRET_KEY", "benchmark-" * 6)
        os.environ.setdefault("NETRA_STARTS_PER_MINUTE", "0")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
        import django  # after the environment is set
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        found = asyncio.run(measure(options.starts, options.rounds))
        from websocket_core.process.lifecycle import lifecycle

        lifecycle.end()
    worst = 0.0
    for name, milliseconds in found.items():
        ratio = milliseconds / found["socket"]
        worst = max(worst, ratio)
        sys.stdout.write(f"{name:13} {milliseconds:6.2f} ms a start, {ratio:.2f} of one over the socket\n")
    sys.stdout.write(f"target {TARGET}: {'met' if worst <= TARGET else 'MISSED'}\n")
    return int(worst > TARGET)


if __name__ == "__main__":
    sys.exit(main())
