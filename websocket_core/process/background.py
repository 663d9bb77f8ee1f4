"""How background work survives errors.

There are three rules, each with one helper:

* A loop never ends because one of its steps raised: `repeat`. `docs/reference/background-loops.md` lists the loops.
* One bad item never delays the others: `ForEach`.
* An outage is logged when it begins and when it ends, not at every attempt: `Outage`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from websocket_core.database import db
from websocket_core.errors import JournalUnavailable

T = TypeVar("T", bound=Hashable)

PAUSE_SECONDS = 1.0  # after a failed step, so that one that fails at once does not keep the processor busy
MOST_REMEMBERED = 1000  # failed items; beyond that the oldest is forgotten and may be logged again

AWAY = (*db.OUTAGE, JournalUnavailable, TimeoutError)  # errors that affect everything that needs the database


class Outage:
    """Whether something that this process depends on is failing at present.

    Args:
        log: the logger of the module that does the work.
        what: the part that fails, for the log: `"sweeper"`.
        meanwhile: what happens until it works again, for the log.
    """

    def __init__(self, log: logging.Logger, what: str, meanwhile: str = "retrying") -> None:
        self._log, self._what, self._meanwhile = log, what, meanwhile
        self.lasts = False

    def note(self, error: BaseException) -> None:
        """Record a failure. Only the first failure of an outage is logged; unexpected errors have a traceback."""
        if not self.lasts:
            self.lasts = True
            unexpected = not isinstance(error, (*AWAY, OSError))
            self._log.warning(
                "%s: %s: %s; %s",
                self._what,
                type(error).__name__,
                str(error).strip() or "no details",
                self._meanwhile,
                exc_info=error if unexpected else None,
            )

    def over(self) -> None:
        """Record a success."""
        if self.lasts:
            self.lasts = False
            self._log.info("%s works again", self._what)

    @contextmanager
    def outlived(self) -> Iterator[None]:
        """Record what the block raises instead of raising it. If the block raises nothing, the outage is over."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - recorded; the caller tries again
            self.note(error)
        else:
            self.over()


async def repeat(
    outage: Outage, step: Callable[[], Awaitable[object]], *, active: Callable[[], object] = lambda: True
) -> None:
    """Run a step again and again. An error ends the step, never the loop.

    Args:
        outage: logs the steps that fail.
        step: waits for its next occasion by itself. After a failure, the loop waits `PAUSE_SECONDS` in addition.
        active: is called before each step. The loop ends when it returns a false value.
    """
    while active():
        with outage.outlived():
            await step()
        if outage.lasts:
            await asyncio.sleep(PAUSE_SECONDS)


class ForEach:
    """Runs a step for each item of a list that is found again and again.

    A failed item is logged once, and from then on it is processed after all others. Neither its own error nor one that
    looks like an outage of the database can therefore delay the others for more than one pass.

    Args:
        log: the logger of the module that does the work.
        what: what is done with an item, for the log: `"ending a lost run"`.
        away: errors after which no other item can succeed either.
    """

    def __init__(self, log: logging.Logger, what: str, *, away: tuple[type[Exception], ...] = AWAY) -> None:
        self._log, self._what, self._away = log, what, away
        self._failed: dict[Hashable, None] = {}

    async def take(self, items: Iterable[T], step: Callable[[T], Awaitable[object]]) -> None:
        """Run the step for each item.

        Raises:
            Exception: one of the `away` errors. The remaining items are left for the next pass, which begins with them.
        """
        for item in sorted(items, key=lambda item: item in self._failed):
            try:
                await step(item)
            except Exception as error:
                self._note(item, error)
                if isinstance(error, self._away):
                    raise
            else:
                self._failed.pop(item, None)

    def _note(self, item: Hashable, error: Exception) -> None:
        known = item in self._failed
        self._failed.pop(item, None)
        self._failed[item] = None
        if len(self._failed) > MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        if not known and not isinstance(error, self._away):
            self._log.error("%s %s failed; continuing with the others", self._what, item, exc_info=error)
