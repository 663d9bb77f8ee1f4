"""How large the large tests are: small enough for every run of the suite, or as large as what they stand for.

TEST_SCALE=full .venv/bin/python -m pytest tests/integration/delivery -n 0
"""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("TEST_SCALE", "") == "full"


def scaled(small: T, full: T) -> T:
    """`small` in the suite, `full` when it was asked for."""
    return full if FULL else small
