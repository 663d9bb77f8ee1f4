"""Restarts a server whenever a file of the project changes, for development."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import FrameType

ENDINGS = (".py", ".html")
LOOK_SECONDS = 0.5
END_SECONDS = 10.0  # seconds that a server has to end after a change; then it must end at once
HURRIED_SECONDS = 2.0  # and then it is killed


def serve_and_reload(command: Sequence[str], folders: Collection[Path], say: Callable[[str], object]) -> int:
    """Run the command until a signal ends it, and restart it after every change; return its exit code.

    If a server does not start because of an error in a file, it is started again after the next change.

    Args:
        command: of the server, which ends gracefully on SIGTERM, and at once on the second one.
        folders: where the files are.
        say: prints a message for the developer.
    """
    ending = False
    server: subprocess.Popen[bytes] | None = None

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True
        if server is not None and server.poll() is None and number == signal.SIGTERM:  # both processes receive Ctrl-C
            server.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    seen = _files(folders)
    while True:
        server = subprocess.Popen(command)  # noqa: S603 - this program again
        if ending:  # a signal came while it was made
            server.terminate()
        changed = ""
        while not changed:
            if ending:
                return server.wait()
            if server.poll() == 0:
                return 0
            time.sleep(LOOK_SECONDS)
            now = _files(folders)
            changed = next((path for path in {**seen, **now} if seen.get(path) != now.get(path)), "")
            seen = now
        say(f"{changed} has changed: restarting")
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    for seconds in (END_SECONDS, HURRIED_SECONDS):
        if server.poll() is None:
            server.terminate()
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if server.poll() is None:
        server.kill()
        server.wait()


def project_folders(app_folders: Collection[str]) -> list[Path]:
    """Return the folders to watch: the working directory, and the folders of apps that are not installed libraries."""
    libraries = (sys.prefix, sys.base_prefix)
    found = {Path.cwd(), *(Path(each) for each in app_folders if not each.startswith(libraries))}
    return [each for each in found if not any(other in each.parents for other in found)]


def _files(folders: Collection[Path]) -> dict[str, float]:
    """Return the watched files with the times of their last change."""
    return {path: changed for folder in folders for path, changed in _walk(str(folder))}


def _walk(folder: str) -> Iterator[tuple[str, float]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        try:
            if entry.is_dir():
                if not entry.name.startswith((".", "__pycache__", "node_modules")):
                    yield from _walk(entry.path)
            elif entry.name.endswith(ENDINGS):
                yield entry.path, entry.stat().st_mtime
        except OSError:  # deleted in the meantime
            continue
