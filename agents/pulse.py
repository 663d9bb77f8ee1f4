"""The agent of load tests under the short name that deployments give: `NETRA_AGENT_MODULES=netra.agents.pulse`."""

from __future__ import annotations

from netra.agents.builtin.pulse import *  # noqa: F403 - an alias hands everything on
