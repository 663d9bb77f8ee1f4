"""Fetches one JSON object from an untrusted server, with limits on total time and size and without redirects.

Needs `requests`, which is only installed where issuers are configured.
"""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager

from websocket_core.auth.oidc.deadline import Deadline
from websocket_core.conf import conf

# No compression: a compressed answer could expand to any size.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class _Adapter(HTTPAdapter):
    """The transport of `requests`, with connections that end at a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._pools = {"http": _bounded(HTTPConnectionPool, deadline), "https": _bounded(HTTPSConnectionPool, deadline)}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # it has its own connections; only its waits are bounded
            manager.pool_classes_by_scheme = self._pools
        return manager


class BoundedSession(requests.Session):
    """A `requests` session that must finish everything by one deadline, `OIDC_TIMEOUT` seconds after its creation."""

    def __init__(self) -> None:
        super().__init__()
        self._deadline = Deadline(conf.OIDC_TIMEOUT).__enter__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._deadline))

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request. No single step takes longer than the time left."""
        return super().request(*args, **{"timeout": self._deadline.left(), **kwargs})

    def close(self) -> None:
        """End the connections and the deadline."""
        super().close()
        self._deadline.__exit__(None, None, None)


def _bounded(pool: type[HTTPConnectionPool], deadline: Deadline) -> type[HTTPConnectionPool]:
    """The same class of connection pool, with connections that end at the deadline."""
    base: Any = pool.ConnectionCls

    class Connection(base):
        def _new_conn(self) -> socket.socket:
            return deadline.connect(self._dns_host, self.port)

    return type("BoundedPool", (pool,), {"ConnectionCls": Connection})


def fetch_json(url: str, deadline: Deadline | None = None) -> dict[str, Any]:
    """Fetch one JSON object before the deadline, with at most `OIDC_MAX_BYTES`. Blocks.

    Args:
        deadline: by default, `OIDC_TIMEOUT` seconds from now.

    Raises:
        Exception: the fetch failed. Almost anything of urllib3, requests, ssl or socket, so catch everything.
        ValueError: the answer is too large, too slow, not a JSON object, or its status is not 200. Redirects are not
            followed.
    """
    if deadline is None:
        with Deadline(conf.OIDC_TIMEOUT) as deadline:
            return fetch_json(url, deadline)
    try:
        body = _body(url, deadline)
    except Exception:
        if deadline.over:  # the failure is a consequence of the shut connection
            raise ValueError(f"{url} took longer than {deadline.seconds} s") from None
        raise
    try:
        value = json.loads(body)
    except RecursionError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{url} did not answer with a JSON object")
    return value


def _body(url: str, deadline: Deadline) -> bytes:
    with requests.Session() as session, closing(_Adapter(deadline)) as adapter:
        request = session.prepare_request(requests.Request("GET", url, HEADERS, auth=_without_credentials))
        surroundings: dict[str, Any] = {}
        surroundings |= session.merge_environment_settings(request.url, {}, True, None, None)  # proxies, certificates
        # Not `session.get`: it reads a redirect's whole body, decompressed and without limit, even if it follows none.
        with adapter.send(request, timeout=deadline.left(), **surroundings) as response:
            if response.status_code != 200:
                raise ValueError(f"{url} answered with status {response.status_code}")
            body = bytearray()
            while chunk := response.raw.read1(16 * 1024, decode_content=False):
                body += chunk
                if len(body) > conf.OIDC_MAX_BYTES:
                    raise ValueError(f"{url} answered with more than {conf.OIDC_MAX_BYTES} bytes")
                deadline.left()
            deadline.left()  # without a Content-Length, a shut connection ends without an error
    return bytes(body)


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep `requests` from adding credentials of a .netrc file."""
    return request
