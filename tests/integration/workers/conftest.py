"""Workers of one installation, which the tests here share: starting processes is most of what they cost."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from integration.workers.farm import Farm
from servers.fixtures import TEST_KEY
from servers.postgres import PostgresServer
from websocket_core.testing.sockets import Client


@pytest.fixture(scope="package")
def shared_farm(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, redis_url: str) -> Iterator[Farm]:
    """One server and two workers."""
    prefix = f"test-{uuid.uuid4().hex}"
    url = postgres.url(postgres.database())
    farm = Farm(tmp_path_factory.mktemp("farm"), url, redis_url, SECRET_KEY=TEST_KEY, NETRA_REDIS_PREFIX=prefix)
    yield farm
    farm.end()


@pytest.fixture
def farm(shared_farm: Farm) -> Iterator[Farm]:
    """The same, with one server and two workers alive; logs are shown when the test fails."""
    shared_farm.start(servers=1, workers=2)
    yield shared_farm
    for process in (*shared_farm.servers, *shared_farm.running_workers()):
        print(f"--- {' '.join(process.command[1:])} ---\n{process.tail()}")  # noqa: T201 - pytest shows it on failure


@pytest.fixture
async def client(farm: Farm) -> AsyncIterator[Client]:
    """A client of the farm's first server."""
    async with farm.client() as client:
        yield client
