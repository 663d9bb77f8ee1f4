"""Faults of a deployment under load, and the ways in which each may end a run."""

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chaos.deployment import SERVERS, WORKERS, Deployment
from security import attacks
from security.issuer import hang, http

COMPLETED = "agent_completed"
LOST = "agent_failed worker_lost"
STOPPED = "agent_failed server_stopped"


@dataclass(frozen=True)
class Pace:
    """The durations of faults, in seconds.

    Attributes:
        pause: without a worker at work (SIGSTOP), longer than a lease.
        outage: of a service, shorter than a lease.
        silence: of a network, or of a commit, longer than a lease and than a database may be silent.
        drain: that every process of a rolling restart has to come back.
        attack: of one user against everybody.
    """

    pause: float
    outage: float
    silence: float
    drain: float = 120.0
    attack: float = 30.0


FULL = Pace(pause=90, outage=5, silence=30)
SHORT = Pace(pause=10, outage=2, silence=10, attack=8)

Break = Callable[[Deployment, Pace], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: for people.
        happen: does it, and what an operator or Supervisor does after it.
        endings: how runs may end, beside completed.
    """

    name: str
    happen: Break
    endings: frozenset[str] = frozenset()

    @property
    def slug(self) -> str:
        """The name of the fault in file names and test ids."""
        return self.name.replace(" ", "-").replace(",", "")


async def kill_server(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("signal", "KILL", SERVERS[0])


async def kill_worker(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("signal", "KILL", WORKERS[0])


async def rolling_restart(deployment: Deployment, pace: Pace) -> None:
    for program in (*SERVERS, *WORKERS):
        await deployment.staging.operate("restart", program)
        if program in SERVERS:
            await _ready(deployment, program, pace.drain)


async def kill_valkey(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("signal", "KILL", "valkey")  # Supervisor starts it again, empty
    await asyncio.sleep(pace.outage)


async def restart_postgres(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("stop", "postgres")
    await asyncio.sleep(pace.outage)
    await deployment.staging.operate("start", "postgres")


async def pause_worker(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("signal", "STOP", WORKERS[0])
    await asyncio.sleep(pace.pause)
    await deployment.staging.operate("signal", "CONT", WORKERS[0])


async def restart_balancer(deployment: Deployment, pace: Pace) -> None:
    await deployment.staging.operate("restart", "balancer")


async def cut_valkey(deployment: Deployment, pace: Pace) -> None:
    await asyncio.to_thread(deployment.to_valkey.cut)
    await asyncio.sleep(pace.outage)
    await asyncio.to_thread(deployment.to_valkey.mend)


async def stall_valkey(deployment: Deployment, pace: Pace) -> None:
    deployment.to_valkey.stall()
    await asyncio.sleep(pace.silence)
    await asyncio.to_thread(deployment.to_valkey.cut)
    await asyncio.to_thread(deployment.to_valkey.mend)


async def cut_postgres(deployment: Deployment, pace: Pace) -> None:
    await asyncio.to_thread(deployment.to_postgres.cut)
    await asyncio.sleep(pace.outage)
    await asyncio.to_thread(deployment.to_postgres.mend)


async def stall_postgres(deployment: Deployment, pace: Pace) -> None:
    deployment.to_postgres.stall()
    await asyncio.sleep(pace.silence)
    await asyncio.to_thread(deployment.to_postgres.mend)


async def sicken_issuer(deployment: Deployment, pace: Pace) -> None:
    """The issuer's keys are always stale and cannot be fetched; others use tokens of an issuer that never answers."""
    whole = http(json.dumps({"keys": deployment.issuer.keys}).encode())
    troubles: tuple[Callable[[socket.socket], object], ...] = (
        lambda connection: connection.sendall(b"\x00\xff rubbish\r\n\r\n"),
        lambda connection: connection.sendall(whole[:-20]),
        hang,
    )
    strangers = [deployment.hostile_issuer.token(f"stranger-{number}") for number in range(10)]
    asking = [asyncio.create_task(asyncio.to_thread(deployment.ask_with, token)) for token in strangers]
    try:
        for trouble in troubles:
            deployment.issuer.answers["/keys"] = trouble
            await asyncio.sleep(pace.outage)
    finally:
        deployment.issuer.answers.clear()
    statuses = await asyncio.gather(*asking)
    assert set(statuses) == {503}, f"strangers were answered with {statuses}"
    assert deployment.issuer.asked["/keys"] > 1


async def hold_commits(deployment: Deployment, pace: Pace) -> None:
    """A synchronous replica is unavailable: commits take place, and are confirmed once it is back."""
    await asyncio.to_thread(deployment.configure_postgres, "synchronous_standby_names", "nobody")
    try:
        await asyncio.sleep(pace.silence)
    finally:
        await asyncio.to_thread(deployment.configure_postgres, "synchronous_standby_names", "")


async def attack(deployment: Deployment, pace: Pace) -> None:
    """Attack through the load balancer, as a user must."""
    token = await asyncio.to_thread(deployment.staging.token_of, "mallory")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, attacks.__file__, deployment.staging.url, token, str(pace.attack)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(pace.attack + 60):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(deployment: Deployment, program: str, seconds: float) -> None:
    """Wait for readiness like an orchestrator, and then for one more health check of the load balancer."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(deployment.is_ready, program):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    await asyncio.sleep(1.5)


FAULTS = (
    Fault("a server killed", kill_server),
    Fault("a worker killed", kill_worker, frozenset({LOST})),
    Fault("rolling restart of servers and workers", rolling_restart, frozenset({STOPPED})),
    Fault("Valkey killed, back empty", kill_valkey),
    Fault("PostgreSQL restarted", restart_postgres),
    Fault("a worker stopped and continued", pause_worker, frozenset({LOST})),
    Fault("the load balancer restarted", restart_balancer),
    Fault("an issuer that answers rubbish, half and nothing", sicken_issuer),
    Fault("network cut, servers to Valkey", cut_valkey),
    Fault("network silent, servers to Valkey", stall_valkey),
    Fault("network cut, workers to PostgreSQL", cut_postgres),
    Fault("network silent, workers to PostgreSQL", stall_postgres, frozenset({LOST})),
    Fault("COMMIT outlives the silence limit", hold_commits, frozenset({LOST})),
    Fault("one user plays all attacks at once", attack),
)
