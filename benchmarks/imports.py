"""What Netra adds to the start of a command: `python -m benchmarks.imports`.

Each measurement is a process of its own, with compiled modules, after one that is not counted. The time is that of the
processor, so that other processes of the machine do not count.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 9
TIMED = "import time; begun = time.process_time(); {}; print((time.process_time() - begun) * 1000)"
DJANGO = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
DJANGO += ["django.contrib.messages", "channels"]
NETRA = ["websocket_core", "netra.agents", "netra"]
SETUP = """
from django.conf import settings
settings.configure(INSTALLED_APPS={}, SECRET_KEY="benchmark" * 8)
import django
django.setup()
"""
PROGRAMS = {
    "import netra": "import netra",
    "django.setup() of a site with Channels": f"exec({SETUP.format(DJANGO)!r})",
    "the same with Netra's apps": f"exec({SETUP.format(DJANGO + NETRA)!r})",
}


def measure(statement: str) -> list[float]:
    """Processor time in milliseconds, for each round."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", TIMED.format(statement)]
    rounds = [
        float(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout)
        for _ in range(ROUNDS + 1)
    ]
    return rounds[1:]


if __name__ == "__main__":
    for name, statement in PROGRAMS.items():
        found = measure(statement)
        print(f"{name}: {statistics.median(found):.1f} ms ({min(found):.1f} to {max(found):.1f})")
