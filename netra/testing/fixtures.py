"""The fixtures of the plugin. Each may be used in an `async def` test; none needs the `django_db` marker."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from netra.testing.clock import Clock
from netra.testing.ending import end_process_state
from netra.testing.faults import Faults, faults_of
from netra.testing.runs import FinishedRun
from netra.testing.serving_process import ServingProcess
from netra.testing.user_client import UserClient

SOMEBODY = "somebody"  # the user of tests that name none; agents that look their user up need a real one


class MakeUserClient(Protocol):
    """Connects a client; see `netra_user_client`."""

    async def __call__(self, user: Any = SOMEBODY) -> UserClient:
        """Connect a client of this user."""


class RunAgent(Protocol):
    """Runs an agent; see `netra_run`."""

    async def __call__(self, agent: str, input: Any = None, *, user: Any = SOMEBODY, **fields: Any) -> FinishedRun:
        """Run this agent to its end."""


@pytest.fixture
def netra_process(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[ServingProcess]:
    """The test's own process serves: what is started on the test's event loop is executed there."""
    test = request.node.obj
    if not inspect.iscoroutinefunction(test):
        pytest.fail(f"{request.node.name} uses Netra's fixtures: write it as `async def`.", pytrace=False)
    process = ServingProcess()
    request.node.obj = process.around(test)
    yield process
    request.node.obj = test
    end_process_state()


@pytest.fixture
def netra_faults(request: pytest.FixtureRequest, netra_process: ServingProcess) -> Iterator[Faults]:
    """What goes wrong in this test: what its `netra_…` markers say, and what it asks for itself."""
    with faults_of(request.node, netra_process) as faults:
        yield faults


@pytest.fixture
def netra_user_client(netra_process: ServingProcess, netra_faults: Faults) -> MakeUserClient:
    """Function that connects a client of a user, a Django user or a user id."""

    async def connect(user: Any = SOMEBODY) -> UserClient:
        client = await UserClient.connected(user, netra_faults.on_event)
        netra_process.stack.push_async_callback(client.close)
        return client

    return connect


@pytest.fixture
def netra_run(netra_user_client: MakeUserClient) -> RunAgent:
    """Function that runs an agent for a user, and returns the run when it is over."""

    async def run(agent: str, input: Any = None, *, user: Any = SOMEBODY, **fields: Any) -> FinishedRun:
        return await (await netra_user_client(user)).run(agent, input, **fields)

    return run


@pytest.fixture
def netra_clock(netra_process: ServingProcess) -> Clock:
    """Lets the time of approvals pass at once."""
    return Clock()
