"""Who may start which agent: the permission that an agent asks for, and what `NETRA_CAN_START` says.

For a user who may not start an agent there is no such agent: it is not listed, and starting it is answered as an
unknown name is. It holds for the start alone; runs that were allowed go on whatever is decided later.

Read `judgement.py` first. `users.py` has the user who is judged, `site_function.py` asks what the site has written.
The service asks for starts; pages and the HTTP API for what they list.
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
