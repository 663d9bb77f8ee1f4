"""Functions for `NETRA_COST`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def a_cent_per_token(run: Any) -> Decimal:
    """By the sum of a run."""
    return Decimal("0.01") * int(run.usage.total_tokens)


def unknown(run: Any) -> None:
    """No price."""


def raises(run: Any) -> Decimal:
    """A bug."""
    raise KeyError(run.run_id)


def floating(run: Any) -> Any:
    """Money in floating point."""
    return 0.1


def not_a_number(run: Any) -> Decimal:
    """What no column takes."""
    return Decimal("NaN")


def negative(run: Any) -> Decimal:
    """What nobody pays."""
    return Decimal(-1)
