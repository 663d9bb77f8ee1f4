"""`manage.py serve`, as its operator sees it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.fixtures import MakeInstallation
from servers.netra import ROOT, Installation
from servers.process import ServerProcess, wait_for


@pytest.fixture
def installation(make_installation: MakeInstallation) -> Installation:
    return make_installation(env={"LOG_FORMAT": "json"})


def serve(installation: Installation, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a `serve` that is to end by itself."""
    return subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=installation.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def process(installation: Installation, *arguments: str, ready: Callable[[], bool]) -> ServerProcess:
    return ServerProcess(
        [sys.executable, "manage.py", "serve", *arguments],
        log=installation.folder / "serve.log",
        is_ready=ready,
        env=installation.env,
        cwd=ROOT,
    )


def answers(path: Path) -> bool:
    """Whether something answers HTTP on a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return client.recv(1000).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def test_start__says_where_and_on_what(installation: Installation) -> None:
    server = installation.server()
    server.start()
    try:
        line = next(line for line in server.output().splitlines() if "listens on" in line)
        assert server.url in line
        assert f"process {server.pid}" in line
        assert "InProcessChannelLayer" in line
        assert "sqlite" in line
        assert server.terminate() == 0
        assert "Netra has ended" in server.output()
        assert "Traceback" not in server.output()
    finally:
        server.kill()


def test_port_is_taken__says_so(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = serve(installation, "--port", str(port))
    assert done.returncode == 1
    assert f"CommandError: Port {port} is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_failing_system_check__stops_it(installation: Installation) -> None:
    installation.env["NETRA_MANAGER_CLASS"] = "no.such.Manager"
    done = serve(installation, "--port", "0")
    assert done.returncode == 1
    assert "SystemCheckError" in done.stderr
    assert "NETRA_MANAGER_CLASS cannot be imported" in done.stderr
    assert "Traceback" not in done.stderr


def test_unix_socket__is_served_and_removed(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = process(installation, "--unix-socket", str(path), ready=lambda: answers(path))
    server.start()
    try:
        assert server.terminate() == 0
    finally:
        server.kill()
    assert not path.exists()


def test_file_descriptor__is_served_as_systemd_hands_it_over(installation: Installation, tmp_path: Path) -> None:
    """The socket is the parent's: it outlives the server, and connections wait in it for the next one."""
    path = tmp_path / "activated"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        mode = path.stat().st_mode
        for _ in range(2):
            server = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--fd", str(listener.fileno())],
                cwd=ROOT,
                env=installation.env,
                pass_fds=[listener.fileno()],
                stderr=subprocess.DEVNULL,
            )
            try:
                assert answers(path)  # it waits in the backlog until the server is there
                server.terminate()
                assert server.wait(30) == 0
            finally:
                server.kill()
                server.wait()
            assert path.stat().st_mode == mode


def test_missing_migrations__are_hinted_at(installation: Installation) -> None:
    os.unlink(installation.folder / "db.sqlite3")
    server = installation.server()
    server.start()
    try:
        wait_for(lambda: "run manage.py migrate" in server.output(), 20, "the hint")
        assert server.terminate() == 0
    finally:
        server.kill()


def test_access_log__is_written_when_wanted(installation: Installation) -> None:
    path = installation.folder / "socket"
    server = process(installation, "--access-log", "--unix-socket", str(path), ready=lambda: answers(path))
    server.start()
    try:
        assert "/healthz" in server.output()
        assert server.terminate() == 0
    finally:
        server.kill()
