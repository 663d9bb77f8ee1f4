"""Daphne's own tests of its server, run against ours."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

CONFTEST = '''
import multiprocessing
import sys
import traceback

sys.path.insert(0, {root!r})
multiprocessing.set_start_method("fork", force=True)

from django.conf import settings

settings.configure()

import netra.server.asgi_server  # once, for the processes that are forked
from daphne import testing


class NetraProcess(testing.DaphneProcess):
    """What Daphne's testing instance starts, with our server in place of Daphne's."""

    def run(self):
        testing._reinstall_reactor()
        for name in [*sys.modules]:  # what has the reactor, or classes of what has it
            if name.startswith(("autobahn", "txaio", "daphne.", "netra.server")) and name != "daphne.testing":
                del sys.modules[name]
        from netra.server.asgi_server import NetraServer
        from netra.server.limits import Limits
        from netra.server.listening import tcp

        try:
            sizes = [self.kwargs.get("websocket_max_" + what + "_size") for what in ("message", "frame")]
            message = min([size for size in sizes if size] or [Limits.message])
            limits = Limits(message=message, drain=0.1, grace=0.1)
            listener = tcp(self.host, self.port.value)
            port = listener.getsockname()[1]
            application = self.get_application()

            async def plain(scope, receive, send):
                scope.pop("extensions", None)  # ours holds a method, and the tests' application pickles its scope
                await application(scope, receive, send)

            self.server = NetraServer(
                plain,
                [listener],
                limits=limits,
                proxy_headers="proxy_forwarded_address_header" in self.kwargs,
                on_ready=lambda: self._listens(port),
            )
            self.server.request_buffer_size = self.kwargs.get("request_buffer_size", self.server.request_buffer_size)
            self.server.http_timeout = self.kwargs.get("http_timeout")
            if self.setup is not None:
                self.setup()
            try:
                self.server.run()
            finally:
                if self.teardown is not None:
                    self.teardown()
        except BaseException as error:
            self.errors.put((error, traceback.format_exc()))

    def terminate(self):
        self.kill()  # as Daphne's ends: at once, without a word to the application

    def _listens(self, port):
        self.port.value = port
        self.ready.set()


testing.DaphneProcess = NetraProcess
testing.BaseDaphneTestingInstance.startup_timeout = 30
'''


@pytest.mark.skipif(
    "DAPHNE_SOURCE" not in os.environ, reason="set DAPHNE_SOURCE to a checkout of github.com/django/daphne"
)
@pytest.mark.timeout(600)
def test_daphnes_own_tests_pass(tmp_path: Path) -> None:
    """Requests, answers, broken protocol and WebSockets. Not its command line, checks and packaging."""
    source = Path(os.environ["DAPHNE_SOURCE"]) / "tests"
    tests = tmp_path / "tests"
    tests.mkdir()
    for path in (*source.glob("http_*.py"), *source.glob("test_http_*.py"), source / "test_websocket.py"):
        (tests / path.name).write_text(path.read_text().replace("timeout=1,", "timeout=10,"))
    (tests / "conftest.py").write_text(textwrap.dedent(CONFTEST).format(root=str(ROOT)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tmp").mkdir()
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django", "-p", "no:xdist"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "TMPDIR": str(tmp_path / "tmp"),
            "PYTEST_ADDOPTS": "",
        },  # its tests share files by name there
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
