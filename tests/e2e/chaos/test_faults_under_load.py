"""`make chaos` in short: everything that breaks in a deployment, under load, and nobody loses or doubles anything."""

import asyncio
from collections.abc import Iterator

import pytest

from chaos import faults, rounds
from chaos.deployment import SHORT_LEASES, Deployment
from chaos.faults import FAULTS, Fault

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two servers, two workers, a load balancer, PostgreSQL, Valkey, and proxies where networks are cut."""
    made = Deployment(tmp_path_factory.mktemp("chaos") / "data", SHORT_LEASES)
    made.start()
    yield made
    assert made.stop() == 0, made.process.tail()


@pytest.fixture(scope="module")
def tokens(deployment: Deployment) -> list[str]:
    return deployment.tokens(rounds.SHORT.users)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.slug)
async def test_fault__under_load__nothing_lost_nothing_twice_every_run_one_end(
    deployment: Deployment, tokens: list[str], fault: Fault
) -> None:
    async with asyncio.timeout(400):
        result = await rounds.play(deployment, fault, tokens, rounds.SHORT, faults.SHORT)
    assert result.problems == []
    assert result.found["deliveries"] > 0
    assert result.found["runs"].get(faults.COMPLETED, 0) > 0
