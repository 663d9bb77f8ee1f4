"""A thread as a transaction of the journal has it: its row, locked."""

from __future__ import annotations

from typing import Protocol

from websocket_core.errors import LeaseLostError


class Lease(Protocol):
    """The right to write events of a run: as long as the thread has no larger fencing token."""

    @property
    def run_id(self) -> str:
        """Whose it is."""

    @property
    def fence(self) -> int | None:
        """The fencing token. `None` is the token of no lease."""


class ThreadRow:
    """A locked thread inside a transaction."""

    __slots__ = (
        "active_run_id",
        "deleted",
        "dirty",
        "fence",
        "fresh",
        "last_seq",
        "moved",
        "owner_id",
        "pk",
        "stored",
        "tail",
        "thread_id",
        "title",
        "uncounted",
    )

    def __init__(
        self,
        pk: int,
        owner_id: str,
        thread_id: str,
        title: str,
        last_seq: int,
        active_run_id: str | None,
        fence: int,
        deleted: bool,
        stored: int = 0,
        uncounted: int = 0,
        fresh: bool = False,
    ) -> None:
        self.pk, self.owner_id, self.thread_id, self.title = pk, owner_id, thread_id, title
        self.last_seq, self.active_run_id, self.fence, self.deleted = last_seq, active_run_id, fence, deleted
        self.stored, self.uncounted = stored, uncounted  # see `models.Thread`
        self.fresh = fresh  # its `updated_at` is no older than `STAMP_EVERY`
        self.moved = False  # its `last_seq` and bytes have to be written
        self.dirty = False  # all of its head has to be written, with the time
        # (index of the last event, run, stream, its text) when that was a delta
        self.tail: tuple[int, str, str, str] | None = None

    def require(self, lease: Lease) -> None:
        """Raise, if the thread's place is not this lease's any more.

        Raises:
            LeaseLostError: another run has the place, or this run under a newer lease, or nobody.
        """
        if self.fence != lease.fence or self.active_run_id != lease.run_id:
            raise LeaseLostError()
