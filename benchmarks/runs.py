"""Measures runs with real servers, workers, PostgreSQL and Valkey.

    .venv/bin/python benchmarks/runs.py                     # everything
    .venv/bin/python benchmarks/runs.py deltas --runs 100 --rate 200 --seconds 5 [--database sqlite]
    .venv/bin/python benchmarks/runs.py start --samples 200
    .venv/bin/python benchmarks/runs.py queue --runs 1000

`deltas`: so many runs at once stream text. Rows a run has written per second, how much later than it was written a
delta reached its client, and whether the text is the same.
`start`: from `start_agent` to `agent_started`, through procrastinate, one after the other.
`queue`: so many runs are queued, five in each thread, and drain. None may be lost, doubled, overtaken or overlap.

Broken promises end with code 1. Numbers say as much about the machine as about Netra: believe none of a busy one.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the same servers as the tests start

import websockets
from websockets.typing import Subprotocol

from integration.workers.farm import Farm
from servers.postgres import PostgresServer
from servers.valkey import ValkeyServer
from websocket_core.ids import new_id

KEY = "benchmark-" + "k" * 50
# The defaults of an installation; the servers of the tests use shorter intervals.
DEFAULTS = {
    "SECRET_KEY": KEY,
    "NETRA_LEASE_SECONDS": "15",
    "NETRA_HEARTBEAT_SECONDS": "5",
    "NETRA_SWEEP_SECONDS": "5",
    "NETRA_JOB_STALL_SECONDS": "30",
}


def quantiles(values: list[float]) -> str:
    """Median and 99th percentile, in milliseconds."""
    values = sorted(values)
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    return f"p50 {statistics.median(values) * 1000:,.0f} ms, p99 {p99 * 1000:,.0f} ms, max {values[-1] * 1000:,.0f} ms"


@contextmanager
def farm(workers: int, database: str = "postgresql", executor: str = "procrastinate") -> Iterator[Farm]:
    """A server and a number of workers."""
    with tempfile.TemporaryDirectory(prefix="netra-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("postgres", "valkey"):
            (folder / part).mkdir(mode=0o755)
        postgres, valkey = PostgresServer(folder / "postgres", durable=True), ValkeyServer(folder / "valkey")
        valkey.start()
        postgres.start()
        url = postgres.url(postgres.database()) if database == "postgresql" else f"sqlite:///{folder}/netra.sqlite3"
        env = {**DEFAULTS, "NETRA_EXECUTOR": executor}
        made = Farm(folder / "farm", url, valkey.url, **env)
        try:
            made.start(servers=1, workers=workers)
            yield made
        finally:
            made.end()
            postgres.kill()
            valkey.kill()


async def receive(farm: Farm, start: list[dict[str, Any]], take: Callable[[dict[str, Any], float], None]) -> None:
    """Send the actions, and collect every event with its time of arrival, until all runs have ended."""
    headers = {"Authorization": f"Bearer {farm.token}"}
    url = farm.servers[0].ws_url
    left = {action["run_id"] for action in start}
    async with websockets.connect(
        url,
        additional_headers=headers,
        proxy=None,
        max_size=None,
        max_queue=None,
        ping_interval=None,  # a ping would wait for a thousand starts before it
        subprotocols=[Subprotocol("netra.v1.batch")],
    ) as socket:
        for action in start:
            await socket.send(json.dumps({"action": "start_agent", **action}))
        while left:
            text = await socket.recv()
            now = time.time()
            frames = json.loads(text)
            for event in frames if isinstance(frames, list) else [frames]:
                if event["event_type"] == "error":
                    raise SystemExit(f"refused: {event}")
                take(event, now)
                if event["event_type"] in ("agent_completed", "agent_failed", "agent_cancelled"):
                    left.discard(event["run_id"])


async def deltas(options: argparse.Namespace) -> bool:
    """See the module."""
    with farm(0, options.database, "inline") as made:
        texts: dict[str, list[str]] = {}
        results: dict[str, Any] = {}
        rows: dict[str, int] = {}
        late: list[float] = []

        def take(event: dict[str, Any], now: float) -> None:
            run = event.get("run_id", "")
            if event["event_type"] == "agent_message":
                delta = event["data"]["delta"]
                texts.setdefault(run, []).append(delta)
                rows[run] = rows.get(run, 0) + 1
                late.extend(now - float(word) for word in delta.split())
            elif event["event_type"] == "agent_completed":
                results[run] = event["data"]["result"]
            elif event["event_type"] == "agent_failed":
                raise SystemExit(f"failed: {event}")

        given = {"rate": options.rate, "seconds": options.seconds}
        actions = [{"agent_type": "streams", "run_id": new_id(), "input": given} for _ in range(options.runs)]
        await receive(made, actions, take)
        same = all("".join(texts[run]) == results[run]["text"] for run in results)
        per_second = [rows[run] / results[run]["seconds"] for run in results]
        written = len(late) / statistics.mean(result["seconds"] for result in results.values())
    print(f"{options.database}: {options.runs} runs, {options.rate} deltas/s each for {options.seconds:g} s")
    print(f"  deltas/s, all runs: {written:,.0f} (asked for: {options.runs * options.rate:,})")
    print(f"  rows/s of a run: at most {max(per_second):.1f} (promised: 20, and the first at once)")
    print(f"  from the agent to its client: {quantiles(late)} (aimed at: p99 100 ms)")
    print(f"  text identical: {same}")
    return same and len(results) == options.runs and max(per_second) <= 20 + 2 / options.seconds


async def start(options: argparse.Namespace) -> bool:
    """See the module."""
    waited: list[float] = []
    pongs: list[float] = []
    with farm(2) as made:
        made.open("open")
        headers = {"Authorization": f"Bearer {made.token}"}
        async with websockets.connect(made.servers[0].ws_url, additional_headers=headers, proxy=None) as socket:
            for _ in range(options.samples + 10):
                sent = time.time()
                await socket.send(json.dumps({"action": "ping"}))
                await socket.recv()
                pongs.append(time.time() - sent)
                sent = time.time()
                await socket.send(json.dumps({"action": "start_agent", "agent_type": "quick"}))
                while (kind := json.loads(await socket.recv())["event_type"]) != "agent_completed":
                    if kind == "agent_started":
                        waited.append(time.time() - sent)
    print(f"ping to pong, for comparison: {quantiles(pongs)}")
    figures = quantiles(waited[10:])  # the first ones warm up
    print(
        f"start_agent to agent_started through procrastinate, {options.samples} times: {figures} (aimed at: p50 60 ms)"
    )
    return True


async def queue(options: argparse.Namespace) -> bool:
    """See the module."""
    with farm(2) as made:
        threads = [new_id() for _ in range(max(1, options.runs // 5))]
        runs = {new_id(): threads[number % len(threads)] for number in range(options.runs)}
        actions = [
            {"agent_type": "quick", "run_id": run, "thread_id": thread, "input": {"gate": "open"}}
            for run, thread in runs.items()
        ]
        events: dict[str, list[str]] = {}
        order: dict[str, list[str]] = {}
        counted = 0
        began = time.monotonic()

        def take(event: dict[str, Any], now: float) -> None:
            nonlocal counted, began
            kind, run = event["event_type"], event.get("run_id", "")
            events.setdefault(run, []).append(kind)
            if kind == "agent_started":
                order.setdefault(event["thread_id"], []).append(run)
            if kind in ("run_queued", "agent_started") and len(events[run]) == 1:
                counted += 1
                if counted == len(runs) - missing:
                    began = time.monotonic()
                    made.open("open")

        # If all workers are busy, the first run of a thread has no event until a worker takes it.
        missing = max(0, len(threads) - 20)
        await receive(made, actions, take)
        seconds = time.monotonic() - began
        once = all(made.traces(run) == ["ran"] for run in runs)
        legal = all(
            kinds[-2:] == ["agent_started", "agent_completed"] and kinds.count("agent_started") == 1
            for run in runs
            if (kinds := events[run])
        )
        fifo = all(order[thread] == [run for run, where in runs.items() if where == thread] for thread in threads)
        pauses = made.rows(
            "SELECT extract(epoch FROM next.started_at - run.finished_at) "
            "FROM netra_agents_run run JOIN netra_agents_run next "
            "ON next.thread_id = run.thread_id AND next.id = (SELECT min(id) FROM netra_agents_run later "
            "WHERE later.thread_id = run.thread_id AND later.id > run.id)"
        )
    print(f"{len(runs)} queued runs in {len(threads)} threads drained in {seconds:.1f} s")
    print(f"  each exactly once: {once}; whole: {legal}; in order, one at a time: {fifo}")
    figures = quantiles([float(pause) for (pause,) in pauses])
    print(f"  from a run's end to the next one's start: {figures} (promised: 200 ms)")
    return once and legal and fifo


SCENARIOS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, bool]]] = {
    "deltas": deltas,
    "start": start,
    "queue": queue,
}


def main() -> None:
    """Parse the command line, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("scenario", nargs="?", choices=list(SCENARIOS), help="default: all of them")
    parser.add_argument("--runs", type=int, help="100 that stream, 1,000 that are queued")
    parser.add_argument("--rate", type=float, default=200, help="deltas a second of one run")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], help="of `deltas`; default: both")
    options = parser.parse_args()
    good = True
    for name in [options.scenario] if options.scenario else SCENARIOS:
        for database in [options.database] if options.database or name != "deltas" else ["sqlite", "postgresql"]:
            given = argparse.Namespace(**vars(options))
            given.database, given.runs = database, options.runs or (100 if name == "deltas" else 1000)
            good &= asyncio.run(SCENARIOS[name](given))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
