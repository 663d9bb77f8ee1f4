"""The Grafana dashboard asks only for existing metrics, by labels that they have."""

import json
import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector

from netra.agents.observing import metrics as run_metrics
from servers.netra import ROOT
from websocket_core.process import metrics as delivery_metrics

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "netra.json").read_text())
GIVEN_BY_PROMETHEUS = {"instance", "job", "le"}
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}
KEYWORDS = {"by", "sum", "max", "rate", "increase", "histogram_quantile", "label_values"}


def samples() -> dict[str, set[str]]:
    """Every sample name that a process may give, with its labels."""
    found: dict[str, set[str]] = {}
    for module in (run_metrics, delivery_metrics):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                for suffix in SUFFIXES[str(metric._type)]:
                    found[metric._name + suffix] = set(metric._labelnames)
    for metric in ProcessCollector(registry=CollectorRegistry()).collect():
        found |= {sample.name: set() for sample in metric.samples}
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Title and PromQL of every query."""
    found = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    found += [(each["name"], each["definition"]) for each in DASHBOARD["templating"]["list"] if "definition" in each]
    return found


@pytest.mark.parametrize(("title", "query"), queries())
def test_query__names_what_there_is(title: str, query: str) -> None:
    known = samples()
    bare = re.sub(r'"[^"]*"|\[[^]]*\]', "", query)  # without values and ranges
    labels = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", bare) for label in group.split(",")}
    labels |= set(re.findall(r"(\w+)\s*=~?", bare))
    words = set(re.findall(r"[a-z_]{3,}", bare)) - KEYWORDS - labels - GIVEN_BY_PROMETHEUS
    assert words, title
    assert words <= set(known), words - set(known)
    assert labels - GIVEN_BY_PROMETHEUS <= set.union(*(known[word] for word in words))


@pytest.mark.parametrize(("title", "query"), queries()[:-1])
def test_query__is_promql(title: str, query: str) -> None:
    parser = pytest.importorskip("promql_parser", reason="no promql-parser: make setup-dev")
    parser.parse(query.replace("$__rate_interval", "1m"))


def test_panels__do_not_overlap_and_say_what_they_are() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["title"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels())


def test_dashboard__shows_every_number_of_runs() -> None:
    text = json.dumps(DASHBOARD)
    names = [metric._name for metric in vars(run_metrics).values() if isinstance(metric, MetricWrapperBase)]
    assert [name for name in names if name not in text] == []
