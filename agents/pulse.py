"""The agent of load tests, under its short name for deployments: `NETRA_AGENT_MODULES=netra.agents.pulse`."""

from __future__ import annotations

from netra.agents.builtin.pulse import *  # noqa: F403 - an alias re-exports everything
