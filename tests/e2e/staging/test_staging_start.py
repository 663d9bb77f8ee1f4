"""`make staging` as somebody uses it: start, look, Ctrl-C, start again."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers import staging
from servers.netra import ROOT, clean_environment
from servers.process import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
START = [sys.executable, "deploy/staging/start.py"]
PROGRAMS = ("postgres", "valkey", "server-1", "server-2", "worker-1", "worker-2", "balancer")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def refused(folder: Path, *options: str) -> str:
    """What a start that cannot be says."""
    done = subprocess.run(
        [*START, "--folder", str(folder), *options],
        cwd=ROOT,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 98, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_port_that_is_taken__is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(tmp_path / "data", "--port", str(port))
    assert f"Port {port} cannot be used" in said
    assert "PORT=" in said
    assert not (tmp_path / "data").exists()


def test_started__ended_by_ctrl_c__started_again_on_the_same_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("staging") / "data"
    port = free_port()
    process = staging.local_staging(folder, {}, "--port", str(port))
    tokens = []
    try:
        for _ in range(2):
            process.start()
            deployment = staging.opened(folder)
            tokens.append(deployment.token)
            assert deployment.url == f"http://127.0.0.1:{port}"
            printed = deployment.manage("golden_path", "--url", deployment.ws_url, "--token", tokens[0])
            assert "Golden path complete" in printed
            pids = [int(deployment.control("pid", program)) for program in PROGRAMS]
            assert f"http://127.0.0.1:{port}" in refused(folder)
            process.signal(signal.SIGINT)
            assert process.wait(120) == 0, process.tail()
            assert [pid for pid in pids if is_alive(pid)] == []
    finally:
        if process.is_running:
            process.terminate(120)
