"""The database's record of a journal's commits. It tells whether a batch whose commit got no answer was written.

Over a network, the outcome of an unanswered COMMIT is unknown. The commit may have happened, it may never have arrived,
or it may still be in progress (a synchronous replica that is unreachable, a stalled disk, a proxy that delays the
bytes).
Each journal therefore has a row of its own, and the first statement of each transaction writes the batch's number to
it.
When a batch is retried, that statement blocks until the earlier transaction has ended, and only then compares the
numbers. By that time the answer can no longer change.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import OperationalError

from websocket_core.database.home import connection
from websocket_core.errors import OutcomeUnknown
from websocket_core.ids import new_id
from websocket_core.models import JournalCommit


class RowGone(OperationalError):
    """The journal's row was deleted while the journal was idle. The next attempt creates it again."""


class CommitMark:
    """The row of one journal. Used only in the writer's thread."""

    def __init__(self) -> None:
        self._journal_id = new_id()  # a process may have several journals, each with its own numbers
        self._made = False

    def make(self) -> None:
        """Create the row, if necessary, in a separate transaction.

        If the batch's own transaction created the row, a missing row could mean two things: the batch was not written,
        or the row was deleted after the batch was written.
        """
        if not self._made:
            row = JournalCommit(journal_id=self._journal_id, batch=0, committed_at=datetime.now(UTC))
            JournalCommit.objects.bulk_create([row], ignore_conflicts=True)
            self._made = True

    def take(self, number: int, *, unclear: bool) -> bool:
        """Write the batch's number. This must be the first statement of the batch's transaction.

        Args:
            unclear: an earlier commit of this batch got no answer.

        Returns:
            `True` if the batch still has to be written, `False` if the journal already contains it.

        Raises:
            RowGone: the row is missing. The batch can be retried.
            OutcomeUnknown: the row is missing, and nothing else can tell whether the earlier commit happened.
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
        raise RowGone("the journal's commit row was deleted")
