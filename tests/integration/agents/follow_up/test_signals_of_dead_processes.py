"""`run_finished` of runs whose process was killed: in the middle of the run, or between its end and the signal."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from servers.fixtures import MakeInstallation
from servers.netra import NetraServer
from servers.process import wait_for

ENVIRONMENT = {
    "NETRA_AGENT_MODULES": "tests.integration.agents.follow_up.receivers",
    "NETRA_LEASE_SECONDS": "3",
    "NETRA_HEARTBEAT_SECONDS": "1",
    "NETRA_SWEEP_SECONDS": "0.5",
}


def lines(told: Path, word: str) -> list[list[str]]:
    text = told.read_text() if told.exists() else ""
    return [line.split() for line in text.splitlines() if line.startswith(word)]


def start(server: NetraServer, agent: str, run_id: str) -> None:
    token = server.installation.token("ann")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = json.dumps({"agent_type": agent, "run_id": run_id}).encode()
    request = urllib.request.Request(f"{server.url}/api/runs", data, headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


@pytest.mark.timeout(240)
def test_killed_process__its_ends_are_told_by_another(make_installation: MakeInstallation, tmp_path: Path) -> None:
    told = tmp_path / "told"
    installation = make_installation(env={**ENVIRONMENT, "TOLD": str(told)})
    first = installation.server(env={"HOLD": "1"})
    second = installation.server()
    try:
        first.start()
        start(first, "endless", "lost")
        start(first, "quick", "held")  # its receiver is called, and does not return
        wait_for(lambda: bool(lines(told, "holds")), 30, "the receiver")
        start(first, "quick", "waiting")  # committed; its signal waits behind the other one
        status = f"{first.url}/api/runs/waiting"
        headers = {"Authorization": f"Bearer {installation.token('ann')}"}

        def over() -> bool:
            with urllib.request.urlopen(urllib.request.Request(status, headers=headers), timeout=30) as answer:
                return bool(json.load(answer)["status"] == "completed")

        wait_for(over, 30, "the end of the run")
        assert lines(told, "ended") == []
        pid = first.pid
        first.kill()
        second.start()
        wait_for(lambda: len(lines(told, "ended")) == 3, 60, "the signals")
        ended = {line[1]: line[2:] for line in lines(told, "ended")}
        assert {run: words[1:] for run, words in ended.items()} == {
            "held": ["completed", "-"],
            "waiting": ["completed", "-"],
            "lost": ["failed", "worker_lost"],
        }
        assert str(pid) not in {words[0] for words in ended.values()}
    finally:
        first.end()
        second.end()
