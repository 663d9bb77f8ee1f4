"""News for all processes that execute runs: a run was stopped, decided, or started in another process."""

from __future__ import annotations

from collections.abc import Callable

from netra.agents.conf import conf
from websocket_core.bell import Listener, News

RUNNERS_GROUP = "netra.runners"
RUNNERS_NEWS = News(RUNNERS_GROUP, {"type": "netra.wishes", "group": RUNNERS_GROUP}, once=True)


async def listen(look: Callable[[], None]) -> None:
    """Call `look` whenever a process rings for runners, until cancelled. Lost news costs at most `LOOK_SECONDS`."""
    listener = Listener(
        "runners",
        lambda message: look(),
        meanwhile=f"stops and decisions are read every {conf.LOOK_SECONDS} s",
        always=[RUNNERS_GROUP],
        entered=look,
    )
    await listener.run()
