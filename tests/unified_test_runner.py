"""A thin front end of pytest that selects tests and their servers. Unknown options are passed to pytest unchanged.

python tests/unified_test_runner.py --category websocket --real-services
python tests/unified_test_runner.py --category integration --no-docker
python tests/unified_test_runner.py --category e2e --prefer-staging
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATEGORIES = {
    "unit": ["tests/unit"],
    "integration": ["tests/integration"],
    "e2e": ["tests/e2e"],
    "websocket": ["tests/unit/websocket_core", "tests/integration/websocket_core", "tests/e2e/websocket_core"],
}
SERVICES = "not postgres and not redis"  # what needs a server beside the database file


STAGING = ("NETRA_STAGING_URL", "NETRA_STAGING_TOKEN")


def command(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of pytest."""
    parser = argparse.ArgumentParser(description="Run Netra's tests.", allow_abbrev=False)
    parser.add_argument("--category", choices=sorted(CATEGORIES), help="which tests; default: all")
    parser.add_argument("--real-services", action="store_true", help="also those that start PostgreSQL and Valkey")
    parser.add_argument("--no-docker", action="store_true", help="nothing here uses Docker; accepted for scripts")
    parser.add_argument(
        "--prefer-staging",
        action="store_true",
        help="e2e tests use the deployment of NETRA_STAGING_URL where it is set; else they always start their own",
    )
    options, rest = parser.parse_known_args(arguments)
    paths = [path for path in CATEGORIES.get(options.category, ["tests"]) if (ROOT / path).exists()]
    # One category named and no services asked for: only what needs none. Without a category, everything.
    chosen = [] if options.real_services or options.category is None else ["-m", SERVICES]
    # A variable left over in a shell must not send tests to a deployment that nobody has asked for.
    left_out = () if options.prefer_staging else STAGING
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return [interpreter(), "-m", "pytest", *paths, *chosen, *rest], environment


def interpreter() -> str:
    """This Python, or the project's own if this one lacks packages that the tests need."""
    if all(importlib.util.find_spec(name) for name in ("django", "pytest", "pytest_django")):
        return sys.executable
    own = ROOT / ".venv" / "bin" / "python"
    if not own.exists():
        raise SystemExit("The packages for development are missing here. Run `make setup-dev` once, then this again.")
    return str(own)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pytest and return its exit code."""
    words, environment = command(sys.argv[1:] if arguments is None else arguments)
    return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
