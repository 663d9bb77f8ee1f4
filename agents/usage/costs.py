"""Calculates the cost of a run with `NETRA_COST`, otherwise with the prices of `genai-prices` if it is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from netra.agents.conf import conf
from netra.agents.usage.reported import Usage

log = logging.getLogger(__name__)

SMALLEST = Decimal("0.000000001")  # the precision of the column
MOST = Decimal(10) ** 9


class CostedRun(Protocol):
    """The run that `NETRA_COST` receives. It also has the other attributes of `netra.Run`."""

    @property
    def run_id(self) -> str:
        """The run's id."""

    @property
    def usage(self) -> Usage:
        """The run's usage."""


Cost = Callable[[Any], Decimal | None]


def load_cost() -> Cost | None:
    """The function that `NETRA_COST` names, or `None` if the setting is empty.

    Raises:
        ImproperlyConfigured: it does not name a callable.
    """
    return _cost_at(conf.COST) if conf.COST else None


@lru_cache(maxsize=8)
def _cost_at(path: str) -> Cost:
    try:
        found: Any = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"NETRA_COST cannot be imported: {error}") from error
    if not callable(found):
        raise ImproperlyConfigured(f"NETRA_COST names {path}, which is not a function of a run.")
    return found  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _has_price_list() -> bool:
    return find_spec("genai_prices") is not None


def knows_prices() -> bool:
    """Whether this installation can calculate costs at all."""
    return bool(conf.COST) or _has_price_list()


def has_prices(usage: str) -> bool:
    """Whether a run with this reported usage (JSON) can have a cost. Called at the end of every run."""
    return bool(conf.COST) or ('"model"' in usage and _has_price_list())


def cost_of(run: CostedRun) -> Decimal | None:
    """The cost of a run, or `None` if it is unknown. Errors of the site's function are logged. Blocking."""
    try:
        cost = load_cost()
        return _fitting(cost(run) if cost is not None else _by_price_list(run.usage))
    except (Exception, SystemExit):
        log.exception("the cost of run %s cannot be calculated", run.run_id)
        return None


def _fitting(cost: object) -> Decimal | None:
    """Convert a cost to what the column can store.

    Raises:
        TypeError: it is neither a `Decimal`, an `int` nor `None`.
        ValueError: it is not a number from 0 to below `MOST`.
    """
    if cost is None:
        return None
    if isinstance(cost, bool) or not isinstance(cost, Decimal | int):
        raise TypeError(f"a cost must be a Decimal or None, not {type(cost).__name__}")
    try:
        exact = Decimal(cost).quantize(SMALLEST, ROUND_HALF_EVEN)
    except InvalidOperation:
        raise ValueError(f"a cost must be a number, not {cost}") from None
    if not 0 <= exact < MOST:
        raise ValueError(f"a cost must be at least 0 and below {MOST:,}, not {cost}")
    return exact


def _by_price_list(usage: Usage) -> Decimal | None:
    """The total price of all model calls, or `None` if one of them has no known price."""
    if not usage.details or not _has_price_list() or not all(entry.get("model") for entry in usage.details):
        return None
    prices = import_module("genai_prices")  # late, because it loads the prices of all models
    total = Decimal(0)
    for entry in usage.details:
        told = prices.Usage(
            input_tokens=entry.get("input_tokens") or 0,
            output_tokens=entry.get("output_tokens") or 0,
            cache_read_tokens=entry.get("cached_input_tokens") or 0,
            cache_write_tokens=entry.get("cache_write_input_tokens") or 0,
        )
        try:
            price = prices.calc_price(told, model_ref=str(entry["model"]), provider_id=entry.get("provider"))
        except LookupError:
            return None
        total += price.total_price
    return total
