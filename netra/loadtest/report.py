"""The results of a load test, as numbers for machines and as a table for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netra.loadtest.load import Load, Sample, percentile
from netra.loadtest.verdict import Verdict


def numbers(load: Load, verdict: Verdict) -> dict[str, Any]:
    """Return all results, ready for JSON."""
    latencies = sorted(load.latencies)
    under_load = max(load.seconds, 0.001)
    return {
        "ok": verdict.kept,
        "users": len(load.users),
        "tabs": len(load.tabs),
        "runs_at_once": load.plan.runs,
        "seconds": round(load.seconds, 1),
        "journalled": verdict.journalled,
        "deliveries": load.deliveries,
        "deliveries_per_second": round(load.deliveries / max(len(load.samples), under_load), 1),
        "p50_ms": round(percentile(latencies, 0.5), 1),
        "p99_ms": round(percentile(latencies, 0.99), 1),
        "max_ms": round(latencies[-1], 1) if latencies else 0.0,
        "reconnects": verdict.reconnects,
        "cut_on_purpose": load.cut,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "out_of_order": verdict.out_of_order,
        "altered": verdict.altered,
        "unknown": verdict.unknown,
        "illegal": verdict.illegal,
        "unfinished": verdict.unfinished,
        "runs": dict(sorted(verdict.runs.items())),
        "errors": dict(sorted(load.errors.items())),
        "examples": verdict.examples,
    }


ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("under load", lambda found: f"{found['seconds']:g} s"),
    ("users · tabs · runs at once", lambda found: f"{found['users']} · {found['tabs']} · {found['runs_at_once']}"),
    ("events journalled", lambda found: f"{found['journalled']:,}"),
    ("deliveries", lambda found: f"{found['deliveries']:,} ({found['deliveries_per_second']:,} /s)"),
    ("latency p50 · p99 · max", lambda found: f"{found['p50_ms']:g} · {found['p99_ms']:g} · {found['max_ms']:g} ms"),
    ("reconnects", lambda found: f"{found['reconnects']} ({found['cut_on_purpose']} connections cut on purpose)"),
    ("lost", lambda found: str(found["lost"])),
    ("duplicated", lambda found: str(found["duplicated"])),
    ("out of order", lambda found: str(found["out_of_order"])),
    ("altered · unknown · illegal", lambda found: f"{found['altered']} · {found['unknown']} · {found['illegal']}"),
    ("runs without an end", lambda found: str(found["unfinished"])),
    ("runs by ending", lambda found: counts(found["runs"])),
    ("errors", lambda found: counts(found["errors"])),
)


def table(found: dict[str, Any]) -> str:
    """For people."""
    lines = [f"  {name:<28} {show(found)}" for name, show in ROWS]
    lines += [f"  ! {example}" for example in found["examples"]]
    lines.append("Every tab has every event, once and in order." if found["ok"] else "A guarantee was BROKEN.")
    return "\n".join(lines)


def counts(found: dict[str, int]) -> str:
    """Several counts in words."""
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "none"


def progress(sample: Sample, load: Load) -> str:
    """One line about a second."""
    return (
        f"{sample.at:6.0f} s  {sample.connected:5d}/{len(load.tabs)} tabs  {sample.running:4d} runs  "
        f"{sample.deliveries:7,d} deliveries/s  p50 {sample.p50:7.1f}  p99 {sample.p99:7.1f} ms"
    )
