"""A thread's row, locked in a transaction of the journal."""

from __future__ import annotations

from typing import Protocol

from websocket_core.errors import LeaseLostError


class Lease(Protocol):
    """The right to write events of a run. It is valid until the thread has a larger fencing token."""

    @property
    def run_id(self) -> str:
        """The run that holds the lease."""

    @property
    def fence(self) -> int | None:
        """The fencing token. `None` outside a leased run."""


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
        self.fresh = fresh  # its `updated_at` is at most `STAMP_EVERY` old
        self.moved = False  # `last_seq` and the bytes have to be written
        self.dirty = False  # the whole head has to be written, with `updated_at`
        # (index of the last event, run, stream, its text) if that event was a delta
        self.tail: tuple[int, str, str, str] | None = None

    def require(self, lease: Lease) -> None:
        """Check that the lease still holds the thread.

        Raises:
            LeaseLostError: the thread has no active run, another one, or the same one under a newer lease.
        """
        if self.fence != lease.fence or self.active_run_id != lease.run_id:
            raise LeaseLostError()
