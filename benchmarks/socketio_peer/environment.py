"""Environments of the Socket.IO peers: created once, separate from the project's own, in `var/benchmarks/`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "var" / "benchmarks"
PYTHON_PACKAGES = ["python-socketio==5.*", "uvicorn[standard]"]
NODE_PACKAGES = ["socket.io@4", "bufferutil@4"]


def python_command(port: int) -> list[str]:
    """The command of the python-socketio server; creates its environment if it does not exist."""
    python = FOLDER / "python-socketio" / "bin" / "python"
    done = FOLDER / "python-socketio" / ".done"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES]
        subprocess.run(install, check=True)
        done.touch()
    return [str(python), str(HERE / "server.py"), str(port)]


def node_command(port: int) -> list[str] | None:
    """The command of the Socket.IO server, `None` without Node; installs its packages if needed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    if not (FOLDER / "socket.io" / ".done").exists():
        (FOLDER / "socket.io").mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(FOLDER / "socket.io")]
        subprocess.run([*install, *NODE_PACKAGES], check=True, stdout=subprocess.DEVNULL)
        (FOLDER / "socket.io" / ".done").touch()
    return [node, str(HERE / "server.cjs"), str(port)]


def node_environment() -> dict[str, str]:
    """The environment variables with which a Node server finds its packages."""
    return {**os.environ, "NODE_PATH": str(FOLDER / "socket.io" / "node_modules")}
