"""What a run cost: as `NETRA_COST` says, else by the prices of `genai-prices` where that is installed."""

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

SMALLEST = Decimal("0.000000001")  # of the column
MOST = Decimal(10) ** 9


class CostedRun(Protocol):
    """The run that `NETRA_COST` is asked about; it also has the other attributes of `netra.Run`."""

    @property
    def run_id(self) -> str:
        """Its name."""

    @property
    def usage(self) -> Usage:
        """What it has used."""


Cost = Callable[[Any], Decimal | None]


def load_cost() -> Cost | None:
    """The function that `NETRA_COST` names; `None`: the setting is empty.

    Raises:
        ImproperlyConfigured: it names nothing that can be called.
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
    """Whether any run may get a cost here."""
    return bool(conf.COST) or _has_price_list()


def has_prices(usage: str) -> bool:
    """Whether a run that reported this usage (JSON) may get a cost. Asked at the end of every run."""
    return bool(conf.COST) or ('"model"' in usage and _has_price_list())


def cost_of(run: CostedRun) -> Decimal | None:
    """What a run cost; `None`: nobody knows. A function of the site's that fails is logged. Blocking."""
    try:
        cost = load_cost()
        return _fitting(cost(run) if cost is not None else _by_price_list(run.usage))
    except (Exception, SystemExit):
        log.exception("the cost of run %s cannot be told", run.run_id)
        return None


def _fitting(cost: object) -> Decimal | None:
    """A cost as the column can have it.

    Raises:
        TypeError, ValueError: it is none.
    """
    if cost is None:
        return None
    if isinstance(cost, bool) or not isinstance(cost, Decimal | int):
        raise TypeError(f"a cost is a Decimal or None, not {type(cost).__name__}")
    try:
        exact = Decimal(cost).quantize(SMALLEST, ROUND_HALF_EVEN)
    except InvalidOperation:
        raise ValueError(f"{cost} is no cost") from None
    if not 0 <= exact < MOST:
        raise ValueError(f"a cost is at least 0 and below {MOST:,}, not {cost}")
    return exact


def _by_price_list(usage: Usage) -> Decimal | None:
    """The sum over the calls of models; `None` where one of them has no price: half a cost is no cost."""
    if not usage.details or not _has_price_list() or not all(entry.get("model") for entry in usage.details):
        return None
    prices = import_module("genai_prices")  # only now: a list of every model there is
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
