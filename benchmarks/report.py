"""Medians, ratios and verdicts, as Markdown."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.targets import TARGETS, Target

COLUMNS = {
    "events_per_s": "events/s",
    "cpu_us_per_event": "CPU µs/event",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "kib_per_connection": "KiB each",
    "connects_per_s": "connects/s",
    "client_cpu": "client CPU",
    "lost": "lost",
}
BASES = {"daphne_mem": "× daphne_mem", "sio_python": "× sio_python", "sio_node": "× sio_node"}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Results = list[dict[str, dict[str, dict[str, Any]]]]  # for each round: peer -> scenario -> values


def report(results: Results) -> str:
    """Everything that was measured."""
    return "\n".join([*verdicts(results), *tables(results)])


def verdicts(results: Results) -> Iterable[str]:
    """The targets and whether they were met. Ratios are taken within a round, then their median."""
    yield "| | must | aim | measured | |"
    yield "|---|---|---|---|---|"
    for target in TARGETS:
        values = [value for turn in results if (value := measured(turn, target)) is not None]
        if values:
            value = statistics.median(values)
            bounds = f"{bound(target, target.must)} | {bound(target, target.aim)}"
            spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
            yield f"| {target.title} | {bounds} | **{number(value)}**{spread} | {verdict(target, value)} |"


def measured(turn: dict[str, dict[str, dict[str, Any]]], target: Target) -> float | None:
    """The value, or ratio, of one round; `None` if it was not measured."""
    own: float | None = turn.get(target.peer, {}).get(target.scenario, {}).get(target.value)
    if not own or not target.base:
        return own
    peer, _, scenario = target.base.partition("/")
    base: float | None = turn.get(peer, {}).get(scenario or target.scenario, {}).get(target.value)
    return own / base if base else None


def verdict(target: Target, value: float) -> str:
    """The verdict on a value."""

    def reached(bound: float | None) -> bool:
        return bound is not None and (value <= bound if target.at_most else value >= bound)

    if reached(target.aim) or (target.aim is None and reached(target.must)):
        return "reached"
    if reached(target.must):
        return "reached, aim missed"
    return "missed" if target.must is not None else "aim missed"


def bound(target: Target, value: float | None) -> str:
    return "" if value is None else f"{'≤' if target.at_most else '≥'} {value:,.10g}"


def tables(results: Results) -> Iterable[str]:
    """One table for each scenario."""
    for scenario in dict.fromkeys(name for turn in results for found in turn.values() for name in found):
        rows: dict[str, list[dict[str, Any]]] = {}
        for turn in results:
            for peer, found in turn.items():
                if scenario in found:
                    rows.setdefault(peer, []).append(found[scenario])
        columns = [key for key in COLUMNS if any(key in value for values in rows.values() for value in values)]
        bases = [peer for peer in BASES if "events_per_s" in columns and peer in rows]
        yield f"\n### {scenario}\n"
        yield f"| | {' | '.join([COLUMNS[key] for key in columns] + [BASES[peer] for peer in bases])} |"
        yield "|---" * (1 + len(columns) + len(bases)) + "|"
        for peer, values in rows.items():
            cells = [number(median(values, key)) for key in columns]
            cells += [number(ratio(results, peer, base, scenario)) for base in bases]
            yield f"| {peer} | {' | '.join(cells)} |"
        for peer, values in rows.items():
            yield from (f"\n{peer}: {value['error']}" for value in values if "error" in value)


def ratio(results: Results, peer: str, base: str, scenario: str) -> float | None:
    target = Target("", peer, scenario, "events_per_s", base, None, None)
    values = [value for turn in results if (value := measured(turn, target)) is not None]
    return statistics.median(values) if values else None


def median(values: list[dict[str, Any]], key: str) -> float | None:
    good: list[float] = [value[key] for value in values if key in value]
    if not good:
        return None
    return sum(good) if key == "lost" else statistics.median(good)


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def write(path: Path, heading: str, results: Results) -> None:
    """Insert the report into a document, between its markers."""
    text = path.read_text()
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    path.write_text(f"{before}{BEGIN}\n\n{heading}\n\n{report(results)}\n\n{END}{after}")
