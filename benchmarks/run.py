"""Compares Netra with its peers, in interleaved rounds: `make bench`.

Each round starts every server in turn, on one core, and the load generator on another. Absolute numbers say as much
about the machine as about the server: ratios are taken within a round, and their medians over the rounds are what to
quote. `--document docs/reference/benchmarks.md` writes them there.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the same servers as the tests start

from benchmarks.peers import PEERS, Peer
from benchmarks.report import Results, report, write
from benchmarks.socketio_peer import environment
from servers.postgres import PostgresServer
from servers.process import ServerFailedError, ServerProcess, accepts_connections, free_port
from servers.valkey import ValkeyServer


def cores() -> tuple[list[int], list[int]]:
    """One core for the server, the others for the load and the databases; the same core if there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[:1], available[1:] or available


def pin(pid: int, on: list[int]) -> None:
    """Keep every thread of a process on these cores; later children and threads inherit it."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), on)


class Turn:
    """One server and its scenarios."""

    def __init__(self, peer: Peer, scratch: Path, urls: dict[str, str], seconds: float) -> None:
        self.peer, self.seconds = peer, seconds
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"benchmarks.{peer.kind}_{'bench' if peer.kind == 'netra' else 'peer'}.settings",
            "NETRA_DATA_DIR": str(self.folder),
            "PEER_DB": str(self.folder / "peer.sqlite3"),
            "SECRET_KEY": "benchmark" * 8,
            "LOG_LEVEL": "WARNING",
            **{key: value.format(**urls) for key, value in peer.env.items()},
        }

    def command(self) -> list[str] | None:
        """How to start the server; `None` if it cannot run on this machine."""
        port, python = str(self.port), sys.executable
        if self.peer.kind == "netra":
            return [python, "manage.py", "serve", "--port", port]
        if self.peer.kind == "channels":
            return [python, "-m", "daphne", "-p", port, "benchmarks.channels_peer.asgi:application"]
        if self.peer.kind == "socketio-python":
            return environment.python_command(self.port)
        self.env = environment.node_environment()
        return environment.node_command(self.port)

    def run(self, scenarios: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Start the server, measure, end it."""
        command = self.command()
        if command is None:
            return {}
        if self.peer.kind == "netra":
            subprocess.run([sys.executable, "-m", "benchmarks.netra_bench.seed"], cwd=ROOT, env=self.env, check=True)
        log = self.folder / "server.log"
        server = ServerProcess(
            command, log=log, is_ready=lambda: accepts_connections(self.port), env=self.env, cwd=ROOT
        )
        server.start()
        on, load = cores()
        pin(server.pid, on)
        time.sleep(0.5)
        try:
            return {scenario: self.measure(server, scenario, load) for scenario in scenarios}
        finally:
            server.kill()

    def measure(self, server: ServerProcess, scenario: str, load: list[int]) -> dict[str, Any]:
        """One scenario, with its own load generator."""
        path = {"channels": "ws/?user={user}", "socketio": "socket.io/?EIO=4&transport=websocket"}
        url = f"ws://127.0.0.1:{self.port}/{path.get(self.peer.dialect, 'ws')}"
        command = [sys.executable, "-m", "benchmarks.load", scenario, "--url", url, "--dialect", self.peer.dialect]
        command += ["--pid", str(server.pid), "--seconds", str(self.seconds), "--events", str(self.peer.events)]
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


class Backends:
    """Valkey and PostgreSQL, for the peers that use them."""

    def __init__(self, scratch: Path, peers: list[Peer]) -> None:
        self.urls: dict[str, str] = {}
        self._servers: list[ServerProcess] = []
        self._postgres: PostgresServer | None = None
        wanted = str([peer.env for peer in peers])
        if "{valkey}" in wanted:
            valkey = ValkeyServer(scratch)
            self._start(valkey)
            self.urls["valkey"] = valkey.url
        if "{postgres}" in wanted:
            self._postgres = PostgresServer(scratch, durable=True)
            self._start(self._postgres)

    def fresh(self) -> dict[str, str]:
        """URLs; the database is a new one each time."""
        if self._postgres is not None:
            self.urls["postgres"] = self._postgres.url(self._postgres.database())
        return self.urls

    def kill(self) -> None:
        for server in self._servers:
            server.kill()

    def _start(self, server: ServerProcess) -> None:
        self._servers.append(server)
        server.start()
        pin(server.pid, cores()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="comma list of peers; all: " + ",".join(PEERS))
    parser.add_argument("--scenarios", help="comma list; default: every one of a peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="measured part of a scenario")
    parser.add_argument("--out", type=Path, help="write all measurements to this file, as JSON")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing; report the measurements of --out")
    parser.add_argument("--document", type=Path, help="insert the report into this document, between its markers")
    options = parser.parse_args()
    if options.source:
        kept = json.loads(options.source.read_text())
        show(kept["heading"], kept["rounds"], options.document)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # servers and load inherit it
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(16384, hard)), hard))
    names = options.only.split(",") if options.only else list(PEERS)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    heading = f"{datetime.now(UTC):%d %B %Y}, {machine}, load average {os.getloadavg()[0]:.1f}; "
    heading += f"{options.rounds} rounds of {options.seconds:g} s."
    scratch = Path(tempfile.mkdtemp(prefix="netra-bench-"))
    scratch.chmod(0o755)
    began = time.monotonic()
    results: Results = []
    backends = Backends(scratch, [PEERS[name] for name in names])
    try:
        for number in range(options.rounds):
            results.append({})
            for name in names:
                peer = PEERS[name]
                wanted = options.scenarios.split(",") if options.scenarios else peer.scenarios
                scenarios = tuple(scenario for scenario in peer.scenarios if scenario in wanted)
                if not scenarios:
                    continue
                passed = time.monotonic() - began
                print(f"{passed:4.0f} s: round {number + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                try:
                    results[-1][name] = Turn(peer, scratch, backends.fresh(), options.seconds).run(scenarios)
                except (ServerFailedError, subprocess.SubprocessError) as error:
                    results[-1][name] = {scenarios[0]: {"error": str(error).strip()[-300:]}}
                if options.out:
                    options.out.write_text(json.dumps({"heading": heading, "rounds": results}))
    finally:
        backends.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    show(heading, results, options.document)


def show(heading: str, results: Results, document: Path | None) -> None:
    """Print the report, and write it into the document."""
    print(f"{heading}\n\n{report(results)}")
    if document:
        write(document, heading, results)


if __name__ == "__main__":
    main()
