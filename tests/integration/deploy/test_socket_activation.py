"""Sockets that somebody else holds: systemd starts servers on them, and they outlive every server."""

import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration.deploy.programs import DEPLOY, program
from servers.fixtures import MakeInstallation
from servers.netra import ROOT
from servers.process import ServerProcess, free_port, wait_for

UNITS = {"serve": "netra@.service", "daphne": "netra-daphne@.service"}
# What systemd does before it becomes the program: the socket as file 3, and two variables that say so.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def exec_start(kind: str) -> list[str]:
    """The command of the unit, with this environment's programs."""
    (line,) = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "systemd" / UNITS[kind]).read_text(), re.MULTILINE)
    path, *words = shlex.split(line)
    return [str(Path(sys.executable).parent / Path(path).name), *words]


def answer(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as response:
        return str(response.read().decode())


@pytest.mark.parametrize("kind", UNITS)
def test_restart__connections_wait_instead_of_being_refused(make_installation: MakeInstallation, kind: str) -> None:
    """Who connects while no server is there is answered by the next one."""
    env = make_installation().env
    with socket.create_server(("127.0.0.1", free_port())) as held, ThreadPoolExecutor() as pool:
        port = held.getsockname()[1]

        def start() -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", HAND_OVER, str(held.fileno()), *exec_start(kind)]
            return subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=(held.fileno(),), stdin=subprocess.DEVNULL)

        server = start()
        try:
            assert pool.submit(answer, port).result(60) == "ok\n"
            server.terminate()
            server.wait(30)
            assert server.returncode == 0
            waiting = pool.submit(answer, port)  # nobody serves now
            server = start()
            assert waiting.result(60) == "ok\n"
        finally:
            server.kill()
            server.wait(30)


def test_systemd__starts_the_server_with_the_first_connection(
    make_installation: MakeInstallation, tmp_path: Path
) -> None:
    activate = program("systemd-socket-activate", "install systemd")
    env, port = make_installation().env, free_port()
    # It hands on only the variables it is told of.
    told = [f"--setenv={name}" for name in env]
    command = [activate, f"--listen=127.0.0.1:{port}", *told, *exec_start("serve")]
    waiting = ServerProcess(
        command, log=tmp_path / "log", is_ready=lambda: "Listening on" in waiting.output(), env=env, cwd=ROOT
    )
    waiting.start()
    try:
        assert "Netra listens" not in waiting.output()
        assert os.readlink(f"/proc/{waiting.pid}/exe").endswith("systemd-socket-activate")
        assert answer(port) == "ok\n"
        wait_for(lambda: "Netra listens" in waiting.output(), 20, "the server's first line")
        assert waiting.terminate() == 0
    finally:
        waiting.kill()
