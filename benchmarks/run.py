"""Netra beside an idiomatic Channels project, in one interleaved run: `make bench`.

Each round starts every server in turn on one core, the load generator on another; the table has medians over the
rounds and the ratio to the peer of the same run. Absolute numbers say as much about the machine as about the server:
quote ratios.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the same servers as the tests start

from servers.process import ServerProcess, accepts_connections, free_port
from servers.valkey import ValkeyServer

NETRA = ("stream", "fanout", "paced", "stream_10", "stream_10_idle_1000", "replay", "idle")
CHANNELS = ("stream", "fanout", "paced", "stream_10", "stream_10_idle_1000", "idle")
# name -> dialect, environment, scenarios
PEERS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "channels": ("channels", {"PEER_CONSUMER": "group"}, CHANNELS),
    "channels_direct": ("channels", {"PEER_CONSUMER": "direct"}, ("stream", "paced")),
    "channels_durable": ("channels", {"PEER_CONSUMER": "durable"}, ("stream",)),
    "netra": ("netra", {}, NETRA),
    "netra_batch": ("netra-batch", {}, NETRA),
    "channels_pubsub": ("channels", {"PEER_LAYER": "pubsub", "REDIS_URL": "{valkey}"}, ("stream", "fanout")),
    "netra_postgres": ("netra", {"REDIS_URL": "{valkey}", "DATABASE_URL": "{postgres}"}, ("stream", "fanout", "paced")),
}
REFERENCE = {"netra_postgres": "channels_pubsub"}  # all others: "channels"
COLUMNS = ("events_per_s", "cpu_us_per_event", "p50_ms", "p99_ms", "kib_per_connection", "connects_per_s", "lost")


def cores() -> tuple[list[int], list[int]]:
    """One core for the server, the others for the load; the same one where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[:1], available[1:] or available


class Round:
    """One server, and the scenarios it goes through."""

    def __init__(self, name: str, scratch: Path, urls: dict[str, str], seconds: float) -> None:
        self.dialect, env, self.scenarios = PEERS[name]
        self.name, self.seconds = name, seconds
        self.port = free_port()
        settings = "netra_bench" if self.dialect != "channels" else "channels_peer"
        folder = Path(tempfile.mkdtemp(dir=scratch))
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"benchmarks.{settings}.settings",
            "NETRA_DATA_DIR": str(folder),
            "PEER_DB": str(folder / "peer.sqlite3"),
            "SECRET_KEY": "benchmark" * 8,
            "LOG_LEVEL": "WARNING",
            **{key: value.format(**urls) for key, value in env.items()},
        }
        python = [sys.executable]
        serve = [*python, "manage.py", "serve", "--port", str(self.port)]
        daphne = [*python, "-m", "daphne", "-p", str(self.port), "benchmarks.channels_peer.asgi:application"]
        self.server = ServerProcess(
            daphne if self.dialect == "channels" else serve,
            log=folder / "server.log",
            is_ready=lambda: accepts_connections(self.port),
            env=self.env,
            cwd=ROOT,
        )

    def run(self) -> dict[str, dict[str, Any]]:
        if self.dialect != "channels":
            subprocess.run([sys.executable, "-m", "benchmarks.netra_bench.seed"], cwd=ROOT, env=self.env, check=True)
        self.server.start()
        server, load = cores()
        for task in os.listdir(f"/proc/{self.server.pid}/task"):
            os.sched_setaffinity(int(task), server)
        time.sleep(0.5)
        results = {}
        try:
            for scenario in self.scenarios:
                results[scenario] = self.measure(scenario, load)
        finally:
            self.server.kill()
        return results

    def measure(self, scenario: str, load: list[int]) -> dict[str, Any]:
        path = "ws/?user={user}" if self.dialect == "channels" else "ws"
        command = [sys.executable, "-m", "benchmarks.load", scenario, "--url", f"ws://127.0.0.1:{self.port}/{path}"]
        command += ["--dialect", self.dialect, "--pid", str(self.server.pid), "--seconds", str(self.seconds)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, load),
        )
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["?"])[-1][:200]}
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


def table(results: list[tuple[str, dict[str, dict[str, Any]]]]) -> str:
    """Medians, and ratios to the reference, as Markdown."""
    lines = []
    for scenario in dict.fromkeys(name for _, found in results for name in found):
        rows: dict[str, dict[str, float]] = {}
        errors: dict[str, str] = {}
        for peer in dict.fromkeys(name for name, _ in results):
            values = [found[scenario] for name, found in results if name == peer and scenario in found]
            good = [value for value in values if "error" not in value]
            errors.update((peer, value["error"]) for value in values if "error" in value)
            if good:
                rows[peer] = {key: statistics.median(v[key] for v in good) for key in COLUMNS if key in good[0]}
                rows[peer]["lost"] = sum(value.get("lost", 0) for value in good)
        columns = [key for key in COLUMNS if any(key in row for row in rows.values())]
        lines += [
            f"\n### {scenario}\n",
            f"| | {' | '.join(columns)} | × rate | × CPU |",
            "|---" * (len(columns) + 3) + "|",
        ]
        for peer, row in rows.items():
            reference = rows.get(REFERENCE.get(peer, "channels"), {})
            ratios = [ratio(row, reference, "events_per_s"), ratio(reference, row, "cpu_us_per_event")]
            cells = [number(row.get(key)) for key in columns]
            lines.append(f"| {peer} | {' | '.join(cells)} | {' | '.join(ratios)} |")
        lines += [f"\n{peer}: {error}" for peer, error in errors.items()]
    return "\n".join(lines)


def ratio(a: dict[str, float], b: dict[str, float], key: str) -> str:
    return f"{a[key] / b[key]:.2f}" if a.get(key) and b.get(key) else ""


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="comma list of peers; all: " + ",".join(PEERS))
    parser.add_argument("--scenarios", help="comma list; default: every one of a peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="measured part of a scenario")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(PEERS)
    scratch = Path(tempfile.mkdtemp(prefix="netra-bench-"))
    scratch.chmod(0o755)
    urls: dict[str, str] = {}
    servers: list[ServerProcess] = []
    if any("{valkey}" in str(PEERS[name]) for name in names):
        servers.append(ValkeyServer(scratch))
        urls["valkey"] = servers[-1].url  # type: ignore[attr-defined]
        servers[-1].start()
    if any("{postgres}" in str(PEERS[name]) for name in names):
        from servers.postgres import PostgresServer

        postgres = PostgresServer(scratch, durable=True)
        servers.append(postgres)
        postgres.start()
    results: list[tuple[str, dict[str, dict[str, Any]]]] = []
    try:
        for turn in range(options.rounds):
            for name in names:
                print(f"round {turn + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                if "{postgres}" in str(PEERS[name]):
                    urls["postgres"] = postgres.url(postgres.database())
                peer = Round(name, scratch, urls, options.seconds)
                if options.scenarios:
                    peer.scenarios = tuple(set(peer.scenarios) & set(options.scenarios.split(",")))
                results.append((name, peer.run()))
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    print(f"{options.rounds} rounds of {options.seconds:g} s; medians; × rate and × CPU: how much better than the peer")
    print(table(results))


if __name__ == "__main__":
    main()
