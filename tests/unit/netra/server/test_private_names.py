"""The private names of other packages that the server relies on. When this fails after an upgrade, read the code."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import asyncioreactor, unix
from twisted.internet.abstract import FileDescriptor
from twisted.web import http

from netra.server import transport
from netra.server.http import channel as http_channel
from netra.server.http import protocol as netra_http
from netra.server.websocket import protocol as websocket


@pytest.fixture
def reactor():
    """A reactor of this test alone, which never runs."""
    loop = asyncio.new_event_loop()
    reactor = asyncioreactor.AsyncioSelectorReactor(loop)
    yield reactor
    reactor.removeAll()
    for reader in list(reactor._internalReaders):
        reactor._removeInternalReader(reader)
        reader.connectionLost(None)
    loop.close()


@pytest.mark.parametrize(("owner", "names"), transport.PRIVATE, ids=lambda value: getattr(value, "__name__", None))
def test_twisted__has_the_names(owner: type, names: tuple[str, ...]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


def test_twisted__its_objects_have_the_names(reactor) -> None:
    factory: Any = http.HTTPFactory()
    port = unix.Port(b"/nowhere", factory, reactor=reactor)
    objects = {type(each): each for each in (FileDescriptor(reactor), reactor, port)}
    for owner, names in transport.PRIVATE_OF_INSTANCES.items():
        assert [name for name in names if not hasattr(objects[owner], name)] == []


def test_twisted__pending_is_what_waits_to_be_written(reactor) -> None:
    """Both of its buffers, less what is written already."""
    here, there = socket.socketpair()
    with here, there:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

        nobody: Any = SimpleNamespace(_realPortNumber=0)
        connection = transport.TcpTransport(here, nobody, ("client", 0), nobody, 0, reactor)
        connection.write(b"a" * 1_000_000)
        connection.write(b"b" * 1000)
        assert connection.pending == 1_001_000
        connection.doWrite()
        assert 0 < connection.moved < 1_001_000
        assert connection.pending == 1_001_000 - connection.moved
        connection.write(b"c")
        assert connection.pending == 1_001_001 - connection.moved
        connection.stopReading()
        connection.stopWriting()


def test_twisted__its_http_channel_has_the_names() -> None:
    assert [name for name in http_channel.PRIVATE if not hasattr(http.HTTPChannel, name)] == []
    assert [name for name in http_channel.PRIVATE_OF_INSTANCES if not hasattr(http.HTTPChannel(), name)] == []


def test_autobahn__has_the_names() -> None:
    base = WebSocketProtocol
    assert [name for name in websocket.PRIVATE if not hasattr(base, name)] == []
    assert "maxMessagePayloadSize" in base.CONFIG_ATTRS


def test_daphne__has_the_names() -> None:
    base = WebRequest
    assert [name for name in netra_http.PRIVATE if not hasattr(base, name)] == []
    assert "parsePOSTFormSubmission" in http.Request.__init__.__code__.co_varnames
