"""What a load test does, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PULSE = "pulse"
TICKS_PER_TOOL = 10  # of the pulse; a tool call adds two events to so many


@dataclass(frozen=True)
class Plan:
    """Users, what their tabs do, and for how long.

    Attributes:
        urls: of the WebSocket; every tab takes them in turn.
        tokens: one per user.
        tabs: connections of each user.
        runs: how many go on at once, over all users.
        events_per_second: that all runs together write; every tab of a user gets each of that user's.
        run_seconds: length of one run.
        duration: seconds under load, once everybody is connected and the runs are going.
        reconnects_per_second: connections that are cut, over all tabs.
        settle: seconds that runs and tabs have at the end to be complete.
        agent: what is started; only a pulse keeps the rate and the length.
        input: of each run, in place of what a pulse is given.
        size: characters of padding in each event of the pulse.
        name: first part of all thread and run ids, unique to this test.
    """

    urls: tuple[str, ...]
    tokens: tuple[str, ...]
    tabs: int = 3
    runs: int = 10
    events_per_second: float = 50.0
    run_seconds: float = 10.0
    duration: float = 30.0
    reconnects_per_second: float = 0.0
    settle: float = 120.0
    agent: str = PULSE
    input: Any = None
    size: int = 100
    name: str = "load"
    batch: bool = field(default=True)

    @property
    def threads_per_user(self) -> int:
        """A user's threads: one run at a time in each."""
        return -(-self.runs // len(self.tokens))

    def threads_of(self, user: int) -> list[str]:
        """The threads of a user."""
        return [f"{self.name}.{user}.{number}" for number in range(self.threads_per_user)]

    def input_of_a_run(self) -> Any:
        """What each run is started with."""
        if self.input is not None:
            return self.input
        per_run = self.events_per_second / self.runs * TICKS_PER_TOOL / (TICKS_PER_TOOL + 2)
        return {"events": max(1, round(per_run * self.run_seconds)), "pause": min(60.0, 1 / per_run), "size": self.size}
