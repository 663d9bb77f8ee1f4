"""How background work survives what goes wrong in it.

Three rules, and one helper for each, so that no loop has to invent them again:

* A loop never ends because one of its steps raised: `repeat`. `docs/reference/background-loops.md` lists the loops.
* One bad item never keeps the others from their turn: `ForEach`.
* An outage is logged when it begins and when it is over, not once for every attempt: `Outage`.
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

PAUSE_SECONDS = 1.0  # after a step that failed: one that fails at once must not keep the processor busy
MOST_REMEMBERED = 1000  # items that failed; past that the oldest is forgotten, and logged again when it fails again

AWAY = (*db.OUTAGE, JournalUnavailable, TimeoutError)  # nothing that needs the database can succeed now


class Outage:
    """Whether something this process depends on is failing now.

    Args:
        log: the logger of the module that does the work.
        what: what fails, for the log: `"sweeper"`.
        meanwhile: what happens until it works again, for the log.
    """

    def __init__(self, log: logging.Logger, what: str, meanwhile: str = "it is tried again") -> None:
        self._log, self._what, self._meanwhile = log, what, meanwhile
        self.lasts = False

    def note(self, error: BaseException) -> None:
        """It failed. Only the first failure of an outage is logged, with a traceback if the cause is not an outage."""
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
        """It worked."""
        if self.lasts:
            self.lasts = False
            self._log.info("%s works again", self._what)

    @contextmanager
    def outlived(self) -> Iterator[None]:
        """Note what the block raises instead of passing it on; when it raises nothing, the outage is over."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - noted; the caller tries again
            self.note(error)
        else:
            self.over()


async def repeat(
    outage: Outage, step: Callable[[], Awaitable[object]], *, active: Callable[[], object] = lambda: True
) -> None:
    """Take a step again and again. What it raises ends that step, never the loop.

    Args:
        outage: tells the log of steps that fail.
        step: waits by itself for its next occasion; after it failed, `PAUSE_SECONDS` are waited in addition.
        active: asked before each step; the loop ends when the answer is false.
    """
    while active():
        with outage.outlived():
            await step()
        if outage.lasts:
            await asyncio.sleep(PAUSE_SECONDS)


class ForEach:
    """Takes a step for each of the items that a look found, look after look.

    An item that fails is logged once, and from then on it has its turn after all others. So neither an error of its
    own nor one that looks like an outage of the database keeps the others waiting for longer than one look.

    Args:
        log: the logger of the module that does the work.
        what: what is done with an item, for the log: `"ending a lost run"`.
        away: errors after which no other item can succeed either.
    """

    def __init__(self, log: logging.Logger, what: str, *, away: tuple[type[Exception], ...] = AWAY) -> None:
        self._log, self._what, self._away = log, what, away
        self._failed: dict[Hashable, None] = {}

    async def take(self, items: Iterable[T], step: Callable[[T], Awaitable[object]]) -> None:
        """Take the step for each item.

        Raises:
            what `away` names: the rest of the items are left for the next look, which begins with them.
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
            self._log.error("%s %s failed; the others go on", self._what, item, exc_info=error)
