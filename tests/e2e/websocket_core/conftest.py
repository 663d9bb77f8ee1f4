"""Staging for the tests of this folder: `NETRA_STAGING_URL` and `NETRA_STAGING_TOKEN`, else one started here."""

import json
from collections.abc import Iterator

import pytest

from security.issuer import Issuer
from servers import staging as deployments
from servers.staging import Staging

__all__ = ["Staging"]


@pytest.fixture(scope="session")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """The deployment to test."""
    if (given := deployments.given()) is not None:
        yield given
        return
    folder = tmp_path_factory.mktemp("staging") / "data"
    issuer = Issuer()
    issuer.start()
    process = deployments.local_staging(
        folder,
        {
            "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents,netra.agents.pulse",
            "NETRA_OIDC_ISSUERS": json.dumps({"corp": issuer.setting()}),
            "NETRA_LEASE_SECONDS": "6",
            "NETRA_HEARTBEAT_SECONDS": "1",
        },
    )
    process.start()
    yield deployments.opened(folder, issuer)
    process.terminate(60)
    issuer.stop()


@pytest.fixture
def local_staging(staging: Staging) -> Staging:
    """A staging whose processes and database the test may touch."""
    if staging.folder is None:
        pytest.skip("this test stops processes; it runs against a staging of its own only")
    return staging
