"""Plays one fault under load, and judges its effects."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from chaos.deployment import Deployment
from chaos.faults import COMPLETED, Fault, Pace
from netra.loadtest import report
from netra.loadtest.load import Load, Sample
from netra.loadtest.plan import Plan
from netra.loadtest.verdict import judge


@dataclass(frozen=True)
class Scale:
    """The amount of load.

    Attributes:
        before: seconds under load before the fault.
        after: seconds under load after it.
    """

    users: int
    tabs: int
    runs: int
    events_per_second: float
    run_seconds: float
    reconnects_per_second: float
    before: float
    after: float


FULL = Scale(100, 3, 50, 100, 15, 1.0, 10, 20)
SHORT = Scale(8, 3, 6, 40, 3, 0.5, 1, 2)


@dataclass
class Result:
    """The result of one round.

    Attributes:
        found: the numbers of the load test.
        problems: descriptions of broken promises; empty if there are none.
        silence: the longest time without any delivery, seconds.
        marks: points in time to mark in the plot of the load.
    """

    fault: str
    found: dict[str, Any]
    problems: list[str]
    silence: float
    samples: list[Sample] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)


async def play(deployment: Deployment, fault: Fault, tokens: list[str], scale: Scale, pace: Pace) -> Result:
    """Load the deployment, cause the fault midway, wait until all runs have ended, and judge the result."""
    plan = Plan(
        urls=(deployment.staging.ws_url,),
        tokens=tuple(tokens),
        tabs=scale.tabs,
        runs=scale.runs,
        events_per_second=scale.events_per_second,
        run_seconds=scale.run_seconds,
        reconnects_per_second=scale.reconnects_per_second,
        agent="counted_pulse",
        name=f"{fault.slug[:40]}-{secrets.token_hex(3)}",
        settle=180,
    )
    load = Load(plan)
    marks: list[tuple[float, str]] = []
    began = time.monotonic()

    async def during() -> None:
        await asyncio.sleep(scale.before)
        marks.append((time.monotonic() - began, fault.name))
        await fault.happen(deployment, pace)
        marks.append((time.monotonic() - began, "over"))
        await asyncio.sleep(scale.after)

    try:
        await load.run(during)
        found = report.numbers(load, await judge(load))
    finally:
        await load.close()
    problems = [] if found["ok"] else ["a promise of delivery was broken", *found["examples"]]
    wrong = set(found["runs"]) - fault.endings - {COMPLETED}
    if wrong:
        problems.append(f"runs ended as {', '.join(sorted(wrong))}, which this fault does not explain")
    if twice := deployment.executed_twice():
        problems.append(f"{twice} runs were executed twice")
    return Result(fault.name, found, problems, silence(load.samples), load.samples, marks)


def silence(samples: list[Sample]) -> float:
    """The longest time between two deliveries."""
    longest, last = 0.0, None
    for sample in samples:
        if sample.deliveries:
            if last is not None:
                longest = max(longest, sample.at - last - 1.0)
            last = sample.at
    return round(max(0.0, longest), 1)
