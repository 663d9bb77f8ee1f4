"""A server releases the memory of many large runs once they have ended."""

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers.fixtures import StartServer
from servers.netra import NetraServer

RUNS, CHARS, THREADS = 200, 200_000, 8
MIB = 2**20


def resident(server: NetraServer) -> int:
    """Bytes that the process has in memory."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.timeout(300)
def test_large_runs_whose_agent_looks_back__leave_no_memory_taken(start_server: StartServer) -> None:
    env = {
        "NETRA_AGENT_MODULES": "tests.integration.faults.orm_agents",
        "NETRA_ACTIONS_PER_SECOND": "0",
        "NETRA_STARTS_PER_MINUTE": "0",
        "NETRA_BYTES_PER_USER_PER_DAY": "0",
        "NETRA_BYTES_PER_THREAD": "0",
        "NETRA_RUNS_PER_USER": "1000",
    }
    server = start_server(env=env)
    token = server.installation.token("ann")

    def call(method: str, path: str, body: object = None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{server.url}/api{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))

    def start(number: int) -> str:
        input = {"text": "x" * CHARS}
        body = {"agent_type": "looks_back", "thread_id": f"t{number % THREADS}", "input": input}
        return str(call("POST", "/runs", body)["run_id"])

    start(0)
    before = resident(server)
    with ThreadPoolExecutor(4) as callers:
        run_ids = list(callers.map(start, range(RUNS)))
    for run_id in run_ids:
        while (run := call("GET", f"/runs/{run_id}"))["status"] in ("queued", "running"):
            time.sleep(0.2)
        assert run["status"] == "completed", run
    deadline = time.monotonic() + 60
    while (taken := resident(server) - before) > 60 * MIB and time.monotonic() < deadline:
        time.sleep(0.5)
    assert taken <= 60 * MIB, f"{taken / MIB:.0f} MiB more than before"
