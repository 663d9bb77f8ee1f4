"""One user plays every attack at once against a real server; what it costs the others, in time and in memory."""

import asyncio
import itertools
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import websockets

from security import attacks
from servers.fixtures import StartServer
from servers.netra import NetraServer
from servers.process_probe import MIB, cpu_seconds, resident, scheduled

pytestmark = pytest.mark.timeout(180)

PROGRAM = Path(attacks.__file__)
QUIET, ATTACKED = 3.0, 15.0  # seconds
# ATTACKS=each plays them one by one, too: which of them is it?
ONE_BY_ONE = list(attacks.ATTACKS) if os.environ.get("ATTACKS") == "each" else []
PROMISED = 0.100  # that 99 of 100 answers to others' pings take at the most, on a quiet machine
ROOM = 250 * MIB  # 20 connections of 4 MiB each, requests under way, and what the allocator keeps of them


@dataclass
class Innocent:
    """Somebody else, who asks ten times a second whether the server is there."""

    server: NetraServer
    token: str
    waits: list[float] = field(default_factory=list)

    async def ask(self, seconds: float) -> list[float]:
        """How long each answer took. One that does not come within half a minute is an error."""
        waits: list[float] = []
        async with websockets.connect(
            self.server.ws_url, additional_headers={"Authorization": f"Bearer {self.token}"}, ping_interval=None
        ) as socket:
            end = time.monotonic() + seconds
            for number in itertools.count():
                began = time.monotonic()
                if began > end:
                    return waits
                await socket.send(json.dumps({"action": "ping", "payload": number}))
                async with asyncio.timeout(30):
                    while json.loads(await socket.recv()).get("payload") != number:
                        pass
                waits.append(time.monotonic() - began)
                await asyncio.sleep(max(0.0, 0.025 - waits[-1]))
        raise AssertionError("the count has no end")


def p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


async def attacked(server: NetraServer, token: str, names: tuple[str, ...]) -> dict[str, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), server.url, token, str(ATTACKED), *names), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(ATTACKED + 40):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    counts: dict[str, int] = json.loads(out)
    return counts


@pytest.mark.parametrize("names", [(), *((each,) for each in ONE_BY_ONE)], ids=lambda names: ",".join(names) or "all")
async def test_one_user_plays_every_attack__others_are_answered_and_memory_stays(
    start_server: StartServer, names: tuple[str, ...]
) -> None:
    server = start_server(env={"LOG_LEVEL": "WARNING"})
    tokens = [await asyncio.to_thread(server.installation.token, user) for user in ("mallory", "bob")]
    bob = Innocent(server, tokens[1])
    quiet = await bob.ask(QUIET)
    before, cpu, (ran, waited) = resident(server), cpu_seconds(server), scheduled(server)
    waits, counts = await asyncio.gather(bob.ask(ATTACKED), attacked(server, tokens[0], names))
    after = await bob.ask(QUIET)
    grown = resident(server) - before
    ran, waited = scheduled(server)[0] - ran, scheduled(server)[1] - waited
    crowded = (ran + waited) / ran  # how much longer everything took because the machine had other work
    figures = [
        f"others' pings: quiet p99 {ms(p99(quiet))}; attacked median {ms(sorted(waits)[len(waits) // 2])}, "
        f"p99 {ms(p99(waits))}, worst {ms(max(waits))} of {len(waits)}; after p99 {ms(p99(after))}",
        f"machine: {crowded:.1f} times as slow as a quiet one",
        f"server: {(cpu_seconds(server) - cpu) / ATTACKED:.0%} of a processor, {grown / MIB:.0f} MiB more, "
        f"{len(server.output()):,} bytes of log",
        f"attacks: {json.dumps(counts, sort_keys=True)}",
    ]
    print("\n" + "\n".join(figures))  # noqa: T201 - the figures of the promise; `pytest -s` shows them
    assert p99(waits) <= max(PROMISED * crowded, 5 * p99(quiet))
    assert grown < ROOM
    assert "Traceback" not in server.output()
    played = {name.partition(":")[0].rstrip(" 0123456789") for name in counts}
    assert played >= set(names or attacks.ATTACKS)
