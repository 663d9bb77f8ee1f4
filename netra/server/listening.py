"""Sockets to listen on, and errors that say what to do if one cannot be opened."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path


class CannotListenError(Exception):
    """The server cannot listen on the requested address. The message is for the operator."""


def tcp(host: str, port: int) -> socket.socket:
    """Return a bound TCP socket.

    Args:
        host: a name or an address; an empty one or `0.0.0.0` is every address of this machine, `::` also those of IPv6.
        port: 0 chooses a free one.

    Raises:
        CannotListenError: the socket cannot be opened.
    """
    host = host.strip("[]")
    if not 0 <= port <= 65535:
        raise CannotListenError(f"{port} is not a port. Choose a --port from 1 to 65535.")
    try:
        # A name like localhost has both kinds of address: prefer IPv4, which more clients try.
        found = sorted(
            socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE),
            key=lambda info: info[0] != socket.AF_INET,
        )
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListenError(f"The name {host!r} has no address. Choose another --host.") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen()  # only now does the system report that another program listens there
    except OSError as error:
        listener.close()
        raise CannotListenError(_explain(error, host, port)) from error
    return listener


def unix(path: str) -> socket.socket:
    """Return a Unix socket bound to a file, which the owner and the group of this process may use.

    A leftover socket file without a listener is replaced.

    Raises:
        CannotListenError: the socket cannot be opened.
    """
    if Path(path).exists():
        _remove_left_over(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o117)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise CannotListenError(f"Cannot listen on {path}: {error.strerror or error}. Choose another path.") from error
    finally:
        os.umask(old)
    return listener


def descriptor(number: int) -> socket.socket:
    """Return the listening socket inherited from the parent process as an open file (systemd: the first one is 3).

    Raises:
        CannotListenError: it is not a listening stream socket.
    """
    hint = "Pass the number of an open, listening socket; systemd's first one is 3."
    try:
        listener = socket.socket(fileno=os.dup(number))
    except OSError as error:
        raise CannotListenError(f"File descriptor {number} is not a socket. {hint}") from error
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise CannotListenError(f"File descriptor {number} is not a listening socket. {hint}")
    return listener


def describe(listener: socket.socket) -> str:
    """Return where a socket listens, as a URL."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def _remove_left_over(path: str) -> None:
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        raise CannotListenError(f"{path} exists and is not a socket. Choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError as error:
            raise CannotListenError(f"Cannot use {path}: {error.strerror}. Choose another path.") from error
        else:
            raise CannotListenError(f"Another program listens on {path}. Stop it, or choose another path.")


def _explain(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is taken: another program listens there. Stop it, or choose another --port."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine. Choose another --host."
        case errno.EACCES | errno.EPERM:
            return (
                f"You may not listen on port {port}. Ports from 1024 on need no special rights; choose another --port."
            )
        case _:
            return f"Cannot listen on {host} port {port}: {error.strerror or error}."
