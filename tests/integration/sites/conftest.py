"""One foreign site for these tests; its servers are started by each test that needs one."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest

from servers.strict_site import SiteServer, StrictSite


class Serve(Protocol):
    def __call__(self, kind: str, *, env: Mapping[str, str] | None = None, application: str = "") -> SiteServer: ...


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> StrictSite:
    return StrictSite(tmp_path_factory.mktemp("strict") / "site")


@pytest.fixture
def serve(site: StrictSite) -> Iterator[Serve]:
    """Function that starts a server of the site."""
    started: list[SiteServer] = []

    def start(kind: str, *, env: Mapping[str, str] | None = None, application: str = "") -> SiteServer:
        server = site.site_server(kind, env=env, application=application)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.end()
        print(f"--- {' '.join(server.command[1:])} ---\n{server.tail()}")  # noqa: T201 - pytest shows it on failure
