"""docs/reference/settings.md names every setting there is, with its default, and none that is not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from netra.agents.conf import Defaults as RunDefaults
from websocket_core.conf import Defaults as DeliveryDefaults

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/settings.md").read_text()
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]*?) ?\|", re.MULTILINE)
# Where the project reads its environment by name.
READS = re.compile(r"""(?:env\.\w+|environ\.get)\(\s*"([A-Z_]+)"|environ\[?"([A-Z_]+)"|"([A-Z_]+)" in os\.environ""")


def section(heading: str) -> dict[str, str]:
    """The variables of a part of the page, and what stands beside them as the default."""
    text = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(ROW.findall(text))


def shown(default: Any) -> str:
    if isinstance(default, float):
        return f"{default:g}"
    return str(default) if default or isinstance(default, int) else ""


@pytest.mark.parametrize(("heading", "defaults"), [("Delivery", DeliveryDefaults), ("Runs", RunDefaults)])
def test_bounds__are_all_there_with_their_defaults(heading: str, defaults: type) -> None:
    wanted: Mapping[str, str] = {
        f"NETRA_{name}": shown(value) for name, value in vars(defaults).items() if name.isupper()
    }
    assert section(heading) == wanted


def test_variables__that_the_project_reads_by_name__are_all_there() -> None:
    read = set[str]()
    for folder in ("netra", "agents", "websocket_core"):
        for path in (ROOT / folder).rglob("*.py"):
            read |= {name for found in READS.findall(path.read_text()) for name in found if name}
    assert len(read) > 20
    named = {name for heading in ("The installation", "Delivery", "Runs") for name in section(heading)}
    assert read - named == set()
