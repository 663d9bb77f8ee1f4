"""Netra's own settings, without limits, and with tokens that a load generator can predict."""

from netra.settings import *  # noqa: F403

NETRA_AGENT_MODULES = ["benchmarks.netra_bench.agents"]
NETRA_ACTIONS_PER_SECOND = 1e9
NETRA_ACTIONS_BURST = 10**9
NETRA_STARTS_PER_MINUTE = 10**9
NETRA_MAX_CONNECTIONS_PER_USER = 10**6
