"""Fixtures of the project, before and after the steps of the how-to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adoption import guide
from adoption.own_site import OwnSite, Server
from adoption.visitor import behaviour
from servers.postgres import PostgresServer
from versions.distribution import build

SERVE = "Serve it"  # the last step before an agent is visible
PATIENT = """
import asyncio

from netra.agents import agent


@agent("patient")
async def patient(ctx, input):
    await ctx.think("Waiting")
    await asyncio.Event().wait()
"""


@dataclass
class Adopted:
    """The project with Netra in it.

    Attributes:
        site: the project.
        before: what it did for its users before (`behaviour`).
        no_sdk: why the OpenAI Agents SDK is not installed; empty: it is.
        seconds: how long all steps up to "Serve it" took.
        put_back: makes its files what they were before.
    """

    site: OwnSite
    before: dict[str, str]
    no_sdk: str
    seconds: float
    put_back: Callable[[], None]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL for these tests only, because it is restarted."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres-of-the-project"))
    server.start()
    yield server
    server.kill()


@contextmanager
def served(site: OwnSite, kind: str) -> Iterator[Server]:
    """The project, served for the duration of the block."""
    server = site.server(kind)
    server.start()
    try:
        yield server
    finally:
        server.end()
        print(f"--- {kind} ---\n{server.tail(60)}")  # noqa: T201 - pytest shows it on failure


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory, cluster: PostgresServer, redis_url: str) -> Adopted:
    """The project after the steps of the how-to up to the first run."""
    folder = tmp_path_factory.mktemp("adoption")
    build(folder / "dist")
    site = OwnSite(folder, database=cluster.url(cluster.database()), redis=redis_url)
    no_sdk = site.install_agents_sdk()
    with served(site, "uvicorn") as server:
        before = behaviour(server)
    put_back = site.copy_of_files()
    seconds = follow(site, folder / "dist", first=True)
    return Adopted(site, before, no_sdk, seconds, put_back)


@pytest.fixture(scope="module")
def whole(adopted: Adopted) -> Adopted:
    """The project after all steps of the how-to. Its own app `agents` has an agent, too."""
    follow(adopted.site, Path(), first=False)
    adopted.site.write("agents/agents.py", PATIENT)
    return adopted


def follow(site: OwnSite, dist: Path, *, first: bool) -> float:
    """Do what the page says before, or after, the first server is started; gives how many seconds it took."""
    all_steps = guide.steps()
    served_at = next(index for index, step in enumerate(all_steps) if step.heading == SERVE)
    started = time.monotonic()
    for step in all_steps[:served_at] if first else all_steps[served_at + 1 :]:
        if step.file:
            step.apply(site.folder)
        elif first:
            site.sh(step.text.replace("/path/to/netra/dist", str(dist)))
    return time.monotonic() - started
