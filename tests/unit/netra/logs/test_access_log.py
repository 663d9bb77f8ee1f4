"""Plain `daphne` loads the site after its access log; what it writes has no credentials then."""

import os
import subprocess
import sys

from versions.distribution import ROOT

PROGRAM = """
import daphne.access, datetime, django, io
django.setup()
log = io.StringIO()
daphne.access.AccessLogGenerator(log).write_entry("host", datetime.datetime.now(), "GET /ws?ticket=secret")
print(log.getvalue())
"""


def test_plain_daphne__writes_no_credentials() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "netra.settings"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "/ws" in done.stdout
    assert "secret" not in done.stdout
