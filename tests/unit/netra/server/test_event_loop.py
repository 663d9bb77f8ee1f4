"""Twisted's reactor on uvloop, whoever was first. Each case needs a process: there is one reactor in each."""

import subprocess
import sys
import textwrap

import pytest

WORKS = """
import asyncio, threading
from twisted.internet import reactor

assert type(reactor._asyncioEventloop).__module__.startswith("uvloop"), reactor._asyncioEventloop
asyncio.set_event_loop(reactor._asyncioEventloop)
done = []

def stop(what):
    done.append(what)
    if len(done) == 2:
        reactor.stop()

reactor.callLater(0.01, stop, "timer")
threading.Thread(target=lambda: reactor.callFromThread(stop, "thread")).start()
reactor.callLater(20, reactor.stop)
reactor.run(installSignalHandlers=False)
assert sorted(done) == ["thread", "timer"], done
print("works")
"""


def run(*parts: str) -> "subprocess.CompletedProcess[str]":
    program = "\n".join(textwrap.dedent(part) for part in parts)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import daphne.server",
        "import daphne.server\ndaphne.server.reactor.callLater(0.001, lambda: None)",
        "from netra.server import event_loop; event_loop.install()",
    ],
    ids=["nobody was first", "Daphne was first", "Daphne was first and has a timer", "twice"],
)
def test_install__puts_the_reactor_on_uvloop(before: str) -> None:
    done = run(before, "from netra.server import event_loop; event_loop.install()", WORKS)
    assert done.stdout == "works\n", done.stderr


def test_install__refuses_another_reactor() -> None:
    done = run(
        """
        from twisted.internet import selectreactor
        selectreactor.install()
        from netra.server import event_loop
        event_loop.install()
        """
    )
    assert "RuntimeError: Another Twisted reactor is installed" in done.stderr


def test_install__works_without_uvloop() -> None:
    done = run(
        """
        import sys
        sys.modules["uvloop"] = None
        from netra.server import event_loop
        event_loop.install()
        from twisted.internet import reactor
        print(type(reactor._asyncioEventloop).__module__)
        """
    )
    assert done.stdout.startswith("asyncio."), done.stderr


def test_threads_of_the_loop__are_as_many_as_asgi_threads_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASGI_THREADS", "3")
    done = run(
        """
        from netra.server.event_loop import new_event_loop
        import threading
        loop = new_event_loop()
        barrier = threading.Barrier(4)
        for _ in range(10):
            loop.run_in_executor(None, barrier.wait)
        import time
        deadline = time.monotonic() + 20
        while barrier.n_waiting < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        print(barrier.n_waiting)
        barrier.abort()
        """
    )
    assert done.stdout == "3\n", done.stderr
