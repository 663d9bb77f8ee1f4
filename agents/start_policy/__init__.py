"""Decides who may start which agent: the agent's permission, and the function named by `NETRA_CAN_START`.

An agent that a user may not start does not exist for that user: it is not listed, and starting it is answered like an
unknown name. The policy applies only to the start. Runs that were allowed continue, whatever is decided later.

Read `judgement.py` first. `users.py` loads the user, and `site_function.py` calls the site's function. The service asks
before a start; pages and the HTTP API ask before they list agents.
"""

from __future__ import annotations

from netra.agents.start_policy.judgement import is_open, startable, startable_here, startable_kinds, startable_kinds_of
from netra.agents.start_policy.site_function import load_policy
from netra.agents.start_policy.users import UserWithoutAccount

__all__ = [
    "UserWithoutAccount",
    "is_open",
    "load_policy",
    "startable",
    "startable_here",
    "startable_kinds",
    "startable_kinds_of",
]
