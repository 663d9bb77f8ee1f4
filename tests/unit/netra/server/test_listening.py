"""Where the server listens, and what it says when it cannot."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netra.server import listening
from netra.server.listening import CannotListenError


@pytest.fixture
def other() -> Iterator[socket.socket]:
    """Another program, which listens on a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("localhost", "http://127.0.0.1:"),
        ("0.0.0.0", "http://0.0.0.0:"),  # noqa: S104
        ("", "http://0.0.0.0:"),
    ],
)
def test_tcp__listens(host: str, url: str) -> None:
    with listening.tcp(host, 0) as listener:
        assert listening.describe(listener).startswith(url)
        address = ("127.0.0.1", listener.getsockname()[1])
        socket.create_connection(address, timeout=5).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", "[::]"])
def test_tcp__ipv6_serves_ipv4_too(host: str) -> None:
    with listening.tcp(host, 0) as listener:
        assert listening.describe(listener).startswith("http://[::]:")
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5).close()


def test_tcp__port_is_taken(other: socket.socket) -> None:
    port = other.getsockname()[1]
    with pytest.raises(CannotListenError, match=rf"Port {port} is taken.*--port"):
        listening.tcp("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("no-such-name.invalid", 0, "The name 'no-such-name.invalid' has no address"),
        ("192.0.2.1", 0, "192.0.2.1 is not an address of this machine"),
        ("127.0.0.1", 70_000, "70000 is not a port"),
        ("127.0.0.1", -1, "-1 is not a port"),
        ("x" * 300, 0, "no address"),
    ],
)
def test_tcp__says_what_is_wrong(host: str, port: int, words: str) -> None:
    with pytest.raises(CannotListenError, match=words):
        listening.tcp(host, port)


def test_unix__listens_and_replaces_what_a_dead_server_left(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    for _ in range(2):  # the second finds the first one's file
        with listening.unix(path) as listener:
            assert listening.describe(listener) == f"unix:{path}"
            assert os.stat(path).st_mode & 0o777 == 0o660


def test_unix__does_not_replace_a_living_server(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(path)
        living.listen()
        with pytest.raises(CannotListenError, match="Another program listens"):
            listening.unix(path)


def test_unix__does_not_replace_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(CannotListenError, match="is not a socket"):
        listening.unix(str(path))
    assert path.read_text() == "precious"


def test_unix__says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CannotListenError, match="No such file"):
        listening.unix(str(tmp_path / "missing" / "socket"))
    with pytest.raises(CannotListenError, match="too long"):
        listening.unix(str(tmp_path / ("x" * 200)))


def test_descriptor__is_taken_over(other: socket.socket) -> None:
    with listening.descriptor(other.fileno()) as listener:
        assert listener.getsockname() == other.getsockname()
        assert listener.fileno() != other.fileno()


def test_descriptor__says_what_is_wrong(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(CannotListenError, match="is not a socket"):
        listening.descriptor(file.fileno())
    with pytest.raises(CannotListenError, match="is not a socket"):
        listening.descriptor(987)
    with socket.socket() as idle, pytest.raises(CannotListenError, match="is not a listening socket"):
        listening.descriptor(idle.fileno())
