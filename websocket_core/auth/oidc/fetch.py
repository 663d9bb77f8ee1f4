"""Fetches one JSON object from an untrusted server, with limits on total time and size and without redirects.

A timeout for single reads does not help if an answer arrives one byte at a time. A `Deadline` therefore shuts the
connection when the total time is over, even in the TLS handshake, between two headers or in the body.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing, suppress
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager

from websocket_core.conf import conf

# No compression: a compressed answer could expand to any size.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Deadline:
    """The deadline of a fetch. When it passes, every connection opened through it is shut."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"longer than {self.seconds:g} s")
        return left

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of `host` that accepts the connection.

        Raises:
            OSError: no address accepts it in time.
        """
        failure = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.left())
                connection.connect(address)
                self._watch(connection)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _watch(self, connection: socket.socket) -> None:
        # A second handle of the same connection, because TLS detaches the first one from its socket.
        with self._lock:
            self._sockets.append(connection.dup())
        if self.over:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
                watched.close()
            self._sockets.clear()


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
