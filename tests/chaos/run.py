"""Every fault under load, through the load balancer: `make chaos`. Ends with a table; exit code 1 if a promise broke.

python tests/chaos/run.py [--only WORD] [--report FILE] [--short]
"""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")

from chaos import faults, rounds  # noqa: E402
from chaos.deployment import SHORT_LEASES, Deployment  # noqa: E402
from chaos.rounds import Result, Scale  # noqa: E402
from netra.loadtest import plot, report  # noqa: E402

REPORT = ROOT / "docs" / "reference" / "fault-runs.md"
COLUMNS = "fault | deliveries | p99 | reconnects | longest silence | lost | duplicated | out of order | runs by ending"


def written_by_hand(page: Path) -> str:
    """What the page has below the table of a run: from its first heading of the second level on."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    at = before.find("\n## ")
    return before[at:] if at >= 0 else ""


def row(result: Result) -> str:
    found = result.found
    cells = [
        result.fault,
        f"{found['deliveries']:,}",
        f"{found['p99_ms']:g} ms",
        f"{found['reconnects']:,}",
        f"{result.silence:g} s",
        str(found["lost"]),
        str(found["duplicated"]),
        str(found["out_of_order"] + found["altered"] + found["unknown"] + found["illegal"]),
        report.counts(found["runs"]) + (f", **{found['unfinished']} without an end**" if found["unfinished"] else ""),
    ]
    return f"| {' | '.join(cells)} |"


def document(results: list[Result], scale: Scale) -> str:
    """The page of the documentation."""
    problems = [f"- {result.fault}: {problem}" for result in results for problem in result.problems]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        "# Faults under load",
        "",
        f"`make chaos` on {datetime.now(UTC):%d %B %Y}, {machine}, load average {os.getloadavg()[0]:.1f}: "
        f"{scale.users} users, {scale.users * scale.tabs} sockets, {scale.runs} running runs writing "
        f"{scale.events_per_second:g} events/s, {scale.reconnects_per_second:g} additional disconnects/s, all through "
        "the load balancer. After each fault, every tab is compared with the journal, event by event and byte by byte; "
        "every run must have exactly one end, and no agent may have been executed twice.",
        "",
        f"| {COLUMNS} |",
        "|---" * (COLUMNS.count("|") + 1) + "|",
        *map(row, results),
        "",
        "*Out of order* includes altered, unknown and illegal events. *p99* is the time from an event's commit to its "
        "arrival in a tab, including the fault itself. *Longest silence*: no tab received anything. "
        "How a run may end: [When a worker dies](../explanation/when-a-worker-dies.md).",
        "",
        "Every guarantee held." if not problems else "**Broken guarantees:**\n",
        *problems,
        "",
    ]
    return "\n".join(lines)


async def play(deployment: Deployment, chosen: list[faults.Fault], scale: Scale, pace: faults.Pace) -> list[Result]:
    tokens = await asyncio.to_thread(deployment.tokens, scale.users)
    results = []
    for fault in chosen:
        began = time.monotonic()
        print(f"{datetime.now(UTC):%H:%M:%S} {fault.name} …", file=sys.stderr, flush=True)
        result = await rounds.play(deployment, fault, tokens, scale, pace)
        results.append(result)
        print(f"{row(result)} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        for problem in result.problems:
            print(f"  ! {problem}", file=sys.stderr, flush=True)
        picture = plot.draw(result.samples, f"{fault.name}: {scale.users} users, {scale.runs} runs", result.marks)
        (deployment.folder / f"{fault.slug}.svg").write_text(picture, encoding="utf-8")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name has this word")
    parser.add_argument("--short", action="store_true", help="few users, short pauses, as the test suite does it")
    parser.add_argument("--report", type=Path, default=REPORT, help="the page to write (default: %(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "var" / "chaos", help="made anew; keeps logs and pictures"
    )
    options = parser.parse_args()
    scale, pace = (rounds.SHORT, faults.SHORT) if options.short else (rounds.FULL, faults.FULL)
    chosen = [fault for fault in faults.FAULTS if options.only in fault.name]
    if not chosen:
        parser.error(f"no fault has {options.only!r} in its name: {', '.join(fault.name for fault in faults.FAULTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it takes its staging along
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.parent.mkdir(parents=True, exist_ok=True)
    deployment = Deployment(options.folder, SHORT_LEASES if options.short else {})
    try:
        deployment.start()
        results = asyncio.run(play(deployment, chosen, scale, pace))
    finally:
        deployment.stop()
    text = document(results, scale)
    print(text)
    if not options.only and not options.short:
        options.report.write_text(text + written_by_hand(options.report), encoding="utf-8")
        print(f"written to {options.report}; logs and pictures are in {options.folder}", file=sys.stderr)
    return int(any(result.problems for result in results))


if __name__ == "__main__":
    sys.exit(main())
