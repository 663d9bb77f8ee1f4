"""The usage of runs: their tokens and their cost.

`reported.py` reads what agents report, `costs.py` calculates the cost, and `sums.py` adds it up by user, agent or day.
The ledger stores the usage when a run ends. The admin and `manage.py usage` show it.
"""

from __future__ import annotations

from netra.agents.usage.costs import cost_of, has_prices, knows_prices
from netra.agents.usage.reported import NOTHING, Usage, Used, used

__all__ = ["NOTHING", "Usage", "Used", "cost_of", "has_prices", "knows_prices", "used"]
