"""The HTTP API against its own OpenAPI document: whatever is sent, the answer is one that the document promises."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer

EXAMPLES = 20  # of each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
NAMES = {"thread_id": "fuzzed-thread", "run_id": "fuzzed-run"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[NetraServer]:
    folder = tmp_path_factory.mktemp("fuzz") / "data"
    shutil.copytree(migrated_sqlite, folder)
    env = {"SECRET_KEY": TEST_KEY, "NETRA_ACTIONS_PER_SECOND": "0", "NETRA_STARTS_PER_MINUTE": "0"}
    server = Installation(folder, env).server()
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def web(server: NetraServer) -> Iterator[requests.Session]:
    """Calls as one user, who has a thread with a run."""
    with requests.Session() as web:
        web.trust_env = False
        web.headers["Authorization"] = f"Bearer {server.installation.token('ann')}"
        started = web.post(f"{server.url}/api/runs", json={"agent_type": "test", **NAMES}, timeout=30)
        assert started.status_code == 201, started.text
        yield web


@pytest.fixture(scope="module")
def schema(server: NetraServer) -> OpenApiSchema:
    found: OpenApiSchema = schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")
    return found


def test_every_operation__answers_as_its_document_says(server: NetraServer, web: requests.Session, schema) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 16
    # What takes things away comes last, and last of all what may revoke the caller's own token.
    operations.sort(key=lambda operation: (operation.method == "delete", operation.path == "/api/tokens/{token_id}"))
    seen: dict[str, set[int]] = {}
    # The document names the header, so that one is made up for it unless it is given here.
    credential = {"Authorization": str(web.headers["Authorization"])}

    for number, operation in enumerate(operations):

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def attack(case: Any) -> None:
            for names in ({}, NAMES):
                if names:  # what is there, asked for in its plainest form: answers that are not errors
                    case.query = {}
                case.path_parameters |= {name: names[name] for name in case.path_parameters.keys() & names.keys()}
                answer = case.call_and_validate(checks=CHECKS, session=web, headers=credential, timeout=30)
                seen.setdefault(case.operation.label, set()).add(answer.status_code)
                if answer.status_code >= 400:
                    assert answer.json()["code"]

        attack()

    assert len(seen) == len(operations)
    assert [label for label, statuses in seen.items() if label.startswith("GET") and 200 not in statuses] == []
    assert "Traceback" not in server.output()
    assert "exc_type" not in server.output()
