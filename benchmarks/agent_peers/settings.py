"""The benchmarks' settings, with these agents."""

from benchmarks.netra_bench.settings import *  # noqa: F403

NETRA_AGENT_MODULES = ["benchmarks.agent_peers.agents"]
