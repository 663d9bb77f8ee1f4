"""What the database knows of a journal's commits: whether a batch whose commit broke was written all the same.

Over a network nobody knows what became of a COMMIT that was never answered: it may have happened, it may never have
arrived, and it may still be under way (a synchronous replica that is away, a disk that stalls, a proxy that holds the
bytes back). So a journal has a row of its own, and the first statement of each of its transactions writes the batch's
number there. Whoever tries a batch again waits in that statement until the earlier transaction has ended, one way or
the other, and only then compares: there is no moment at which the answer can still change.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import OperationalError, connection

from websocket_core.errors import OutcomeUnknown
from websocket_core.ids import new_id
from websocket_core.models import JournalCommit


class RowGone(OperationalError):
    """The journal's row was deleted while the journal was idle; the next attempt makes it anew."""


class CommitMark:
    """The row of one journal. Used in the writer's thread alone."""

    def __init__(self) -> None:
        self._journal_id = new_id()  # not the process's: it may have several journals, each with numbers of its own
        self._made = False

    def make(self) -> None:
        """See that the row is there, in a transaction of its own.

        Were it made by the batch that needs it, a missing row could mean either that this batch was not written, or
        that the row was deleted after it was.
        """
        if not self._made:
            row = JournalCommit(journal_id=self._journal_id, batch=0, committed_at=datetime.now(UTC))
            JournalCommit.objects.bulk_create([row], ignore_conflicts=True)
            self._made = True

    def take(self, number: int, *, unclear: bool) -> bool:
        """Write the batch's number; the first statement of its transaction.

        Args:
            unclear: an earlier commit of this batch was not answered.

        Returns:
            Whether the batch is still to be written; `False`: it is in the journal.

        Raises:
            RowGone: the row is missing; try again.
            OutcomeUnknown: it is missing, and nothing else can tell what became of the earlier commit.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_journalcommit SET batch = %s, committed_at = %s "
                "WHERE journal_id = %s AND batch < %s",
                [number, connection.ops.adapt_datetimefield_value(datetime.now(UTC)), self._journal_id, number],
            )
            if cursor.rowcount:
                return True
        if JournalCommit.objects.filter(journal_id=self._journal_id).exists():
            return False
        self._made = False
        if unclear:
            raise OutcomeUnknown
        raise RowGone("the journal's row of commits was deleted")
