"""The reference pages name everything there is, with the numbers of the code."""

import re
from pathlib import Path

import pytest

from netra.agents.conf import Defaults as RunDefaults
from netra.api import api
from websocket_core.conf import Defaults as DeliveryDefaults

REFERENCE = Path(__file__).parent.parent.parent.parent / "docs/reference"


def numbers(defaults: type) -> dict[str, float]:
    found = {name: value for name, value in vars(defaults).items() if name.isupper()}
    return {f"NETRA_{name}": value for name, value in found.items() if isinstance(value, int | float)}


def test_limits__every_number_with_its_default():
    rows = re.findall(
        r"^\| `(NETRA_[A-Z_]+)` \| ([\d.]+) \|", (REFERENCE / "limits.md").read_text("utf-8"), re.MULTILINE
    )
    assert len({name for name, _ in rows}) == len(rows)
    told, real = {name: float(value) for name, value in rows}, numbers(RunDefaults) | numbers(DeliveryDefaults)
    assert told == real, "put the number into docs/reference/limits.md"


@pytest.mark.django_db
def test_http_api__every_operation():
    operations = {
        (method.upper(), path.removeprefix("/api"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    rows = re.findall(
        r"^\| `(GET|POST|PATCH|DELETE) (/[^`?]*)", (REFERENCE / "http-api.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(rows) == operations
    assert len(rows) == len(operations)
