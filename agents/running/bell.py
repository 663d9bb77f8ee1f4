"""News for those who execute runs, in every process: somebody stopped a run, decided, or began one elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from netra.agents.conf import conf
from websocket_core.bell import Listener, News

RUNNERS_GROUP = "netra.runners"
RUNNERS_NEWS = News(RUNNERS_GROUP, {"type": "netra.wishes", "group": RUNNERS_GROUP}, once=True)


async def listen(look: Callable[[], None]) -> None:
    """Call `look` whenever a process rings for runners, until cancelled. News that is lost costs `LOOK_SECONDS`."""
    listener = Listener(
        "runners",
        lambda message: look(),
        meanwhile=f"wishes are looked for every {conf.LOOK_SECONDS} s",
        always=[RUNNERS_GROUP],
        entered=look,
    )
    await listener.run()
