"""A server of the small application, as a process of its own."""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.process import ServerProcess, wait_for

PROGRAM = Path(__file__).with_name("small_app.py")


class SmallServer(ServerProcess):
    """The small application under Netra's server. `options`: see `small_app.py`."""

    def __init__(self, log: Path, options: dict[str, Any]) -> None:
        super().__init__(
            [sys.executable, str(PROGRAM), json.dumps(options)], log=log, is_ready=lambda: self._says_port()
        )

    def _says_port(self) -> bool:
        return any(line.startswith("port ") for line in self.output().splitlines())

    @property
    def port(self) -> int:
        """Its TCP port."""
        return int(next(line for line in self.output().splitlines() if line.startswith("port ")).split()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def get(self, path: str) -> str:
        """Return the body of an HTTP answer."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as response:
            return str(response.read().decode())

    def stats(self) -> dict[str, Any]:
        """What the application has seen so far, and `rss` (KiB), `tasks` and `files` of the process."""
        stats: dict[str, Any] = json.loads(self.get("/stats"))
        return stats

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], what: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until the stats are as wanted, and return them."""
        stats: dict[str, Any] = {}

        def look() -> bool:
            stats.update(self.stats())
            return condition(stats)

        wait_for(look, seconds, what)
        return stats

    def last_words(self) -> dict[str, Any]:
        """What the application had seen when the server ended well."""
        lines = [line for line in self.output().splitlines() if line.startswith("{")]
        words: dict[str, Any] = json.loads(lines[-1])
        return words


StartSmallServer = Callable[..., SmallServer]


@pytest.fixture
def start_small_server(tmp_path: Path) -> Iterator[StartSmallServer]:
    """Function that starts a server; the keyword arguments are `Limits`, and `options` those of the program."""
    servers: list[SmallServer] = []

    def start(options: dict[str, Any] | None = None, **limits: float) -> SmallServer:
        server = SmallServer(tmp_path / f"server-{len(servers)}.log", {**(options or {}), "limits": limits})
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def small_server(start_small_server: StartSmallServer) -> SmallServer:
    """A running server with the usual limits."""
    return start_small_server()
