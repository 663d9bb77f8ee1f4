"""A server program that runs as a process of its own while a test needs it."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 60.0  # a busy machine is slow; a program that exits is noticed at once
STOP_SECONDS = 30.0
SAVE_SECONDS = 3.0
POLL_SECONDS = 0.02
PORTS = range(15000, 32000)  # below the ports of outgoing connections


class ServerFailedError(AssertionError):
    """A server did not start, did not stop, or ended by itself; the message ends with what it wrote."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now.

    Not one that the system gives to outgoing connections: a server that is killed and started again needs its port,
    and somebody's connection could have got it meanwhile.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on this port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float, what: str, pause: float = POLL_SECONDS) -> None:
    """Return as soon as `condition` holds; it is asked every `pause` seconds.

    Raises:
        ServerFailedError: it does not hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerFailedError(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause)


class ServerProcess:
    """Starts, stops and kills one program; it can be started again after it ended.

    Args:
        command: program and arguments.
        log: file that gets everything the program writes.
        is_ready: tells whether the program can be used now.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
    ) -> None:
        self.command = list(command)
        self.log = log
        self._is_ready = is_ready
        self._env = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.start_seconds = START_SECONDS

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether the program has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program and return when it is ready.

        Raises:
            ServerFailedError: it ended, or it is not ready in time.
        """
        assert not self.is_running, f"{self.command[0]} is running already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                user=self._user,
                start_new_session=True,  # a Ctrl-C at the test run must not reach it before its fixture ends it
            )
        try:
            wait_for(
                lambda: not self.is_running or self._is_ready(), self.start_seconds, f"the start of {self.command[0]}"
            )
        except ServerFailedError as error:
            self.kill()
            raise ServerFailedError(f"{error}\n{self.tail()}") from None
        if not self.is_running:
            raise ServerFailedError(f"{self.command} ended with {self.returncode}:\n{self.tail()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, for instance SIGSTOP, to the running program."""
        self._running().send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Return the exit code (negative: the signal that ended it) once the program has ended.

        Raises:
            ServerFailedError: it still runs after `seconds`.
        """
        assert self._process is not None, "it was never started"
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServerFailedError(f"{self.command} still runs after {seconds:g} s:\n{self.tail()}") from None

    def terminate(self, seconds: float = STOP_SECONDS) -> int:
        """Ask the program to end (SIGTERM), wait for it, return its exit code."""
        self._running().terminate()
        return self.wait(seconds)

    def kill(self) -> None:
        """End the program at once (SIGKILL), also when it is stopped or has ended already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    def end(self) -> None:
        """End the program when its test is over. Where coverage is measured, it gets the time to write it down."""
        if "COVERAGE_PROCESS_CONFIG" in os.environ:
            for _ in range(2):  # Netra's servers drain at the first signal and end at once at the second
                if self.is_running:
                    self._running().terminate()
                    with contextlib.suppress(ServerFailedError):
                        self.wait(SAVE_SECONDS)
        self.kill()

    @property
    def returncode(self) -> int | None:
        """Exit code of a program that has ended, else None."""
        return None if self._process is None else self._process.poll()

    def output(self) -> str:
        """Everything the program has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """Return the last lines the program has written."""
        return "\n".join(self.output().splitlines()[-lines:])

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was never started"
        assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.tail()}"
        return self._process
