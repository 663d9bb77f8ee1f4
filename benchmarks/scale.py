"""Measures the throughput of 1, 2 and 4 server processes on this machine, and what is busy.

python -m benchmarks.scale [--servers 1,2,4] [--rounds 3] [--seconds 4]

All of them share one PostgreSQL (durable) and one Valkey; each has a load generator and users of its own. Everything is
on the same machine, so more processes help until its cores are busy: the shares of processor time say whose.
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

from servers.postgres import PostgresServer
from servers.process import ServerProcess, accepts_connections, free_port
from servers.valkey import ValkeyServer

USERS = 48  # over all generators
TICK = os.sysconf("SC_CLK_TCK")


class Site:
    """Several servers on one database and one Valkey."""

    def __init__(self, scratch: Path, count: int) -> None:
        self.count, folder = count, Path(tempfile.mkdtemp(dir=scratch))
        folder.chmod(0o755)
        self.postgres = PostgresServer(folder, durable=True)
        self.valkey = ValkeyServer(folder)
        self.postgres.start()
        self.valkey.start()
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.netra_bench.settings",
            "NETRA_DATA_DIR": str(folder),
            "DATABASE_URL": self.postgres.url(self.postgres.database()),
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": "benchmark" * 8,
            "LOG_LEVEL": "WARNING",
        }
        subprocess.run([sys.executable, "-m", "benchmarks.netra_bench.seed"], cwd=ROOT, env=self.env, check=True)
        self.servers = [self._server(folder, number) for number in range(count)]
        for _, server in self.servers:
            server.start()

    def _server(self, folder: Path, number: int) -> tuple[int, ServerProcess]:
        port = free_port()
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        log = folder / f"server-{number}.log"
        return port, ServerProcess(command, log=log, is_ready=lambda: accepts_connections(port), env=self.env, cwd=ROOT)

    def measure(self, scenario: str, seconds: float) -> dict[str, float]:
        """One scenario, with one load generator per server, in parallel."""
        before, began = self.used(), time.monotonic()
        each = USERS // self.count
        generators = [
            self._generator(scenario, seconds, number, each, port, server.pid)
            for number, (port, server) in enumerate(self.servers)
        ]
        found: list[dict[str, Any]] = [
            json.loads(one.communicate(timeout=240)[0].splitlines()[-1]) for one in generators
        ]
        took, after = time.monotonic() - began, self.used()
        load = sum(one.get("client_cpu", 0.0) for one in found)
        result = {
            "events_per_s": sum(one.get("events_per_s", 0.0) for one in found),
            "p99_ms": max((one.get("p99_ms", 0.0) for one in found), default=0.0),
            "lost": float(sum(one.get("lost", 0) for one in found)),
            "cores of the generators": load,
            **{f"cores of {name}": (after[name] - before[name]) / took for name in before},
        }
        if scenario == "idle":
            result = {
                "connections": float(1000 * self.count),
                "kib_per_connection": statistics.mean(one["kib_per_connection"] for one in found),
                "connects_per_s": sum(one["connects_per_s"] for one in found),
            }
        return result

    def _generator(
        self, scenario: str, seconds: float, number: int, users: int, port: int, pid: int
    ) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "benchmarks.load", scenario, "--url", f"ws://127.0.0.1:{port}/ws"]
        command += ["--dialect", "netra-batch", "--pid", str(pid), "--seconds", str(seconds)]
        command += ["--users", str(users), "--first-user", str(number * users)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def used(self) -> dict[str, float]:
        """Seconds of processor time so far."""
        return {
            "the servers": sum(seconds_of(server.pid) for _, server in self.servers),
            "PostgreSQL": sum(seconds_of(pid) for pid in family(self.postgres.pid)),
            "Valkey": seconds_of(self.valkey.pid),
        }

    def end(self) -> None:
        for _, server in self.servers:
            server.kill()
        self.valkey.kill()
        self.postgres.stop()


def seconds_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK  # including children that have ended


def family(pid: int) -> list[int]:
    """A process and those below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def table(results: dict[tuple[str, int], list[dict[str, float]]]) -> str:
    lines = []
    for scenario in dict.fromkeys(name for name, _ in results):
        rows = {count: medians(found) for (name, count), found in results.items() if name == scenario}
        columns = list(next(iter(rows.values())))
        first = next(iter(rows.values()))
        lines += [f"\n### {scenario}\n", f"| servers | {' | '.join(columns)} | × |", "|---" * (len(columns) + 2) + "|"]
        for count, row in rows.items():
            cells = [f"{row[name]:,.0f}" if row[name] >= 100 else f"{row[name]:.3g}" for name in columns]
            lines.append(f"| {count} | {' | '.join(cells)} | {row[columns[0]] / max(first[columns[0]], 1e-9):.2f} |")
    return "\n".join(lines)


def medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default="1,2,4")
    parser.add_argument("--scenarios", default="stream,paced,idle")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="netra-scale-"))
    scratch.chmod(0o755)
    results: dict[tuple[str, int], list[dict[str, float]]] = {}
    try:
        for turn in range(options.rounds):
            for count in map(int, options.servers.split(",")):
                print(f"round {turn + 1} of {options.rounds}: {count} servers", file=sys.stderr, flush=True)
                site = Site(scratch, count)
                try:
                    for scenario in options.scenarios.split(","):
                        results.setdefault((scenario, count), []).append(site.measure(scenario, options.seconds))
                finally:
                    site.end()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}; {options.rounds} rounds of {options.seconds:g} s, medians")
    print(table(results))


if __name__ == "__main__":
    main()
