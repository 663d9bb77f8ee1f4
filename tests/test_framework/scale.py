"""The size of large tests: small enough for every run of the suite, or the full size.

TEST_SCALE=full .venv/bin/python -m pytest tests/integration/delivery -n 0
"""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("TEST_SCALE", "") == "full"


def scaled(small: T, full: T) -> T:
    """`small` by default, `full` if `TEST_SCALE=full` is set."""
    return full if FULL else small
