"""The core's models: threads, their events, connections, processes, and the credentials that open a connection.

Only `websocket_core.journal` writes events. Rows are looked up by `(owner_id, name)`, because a name alone is not
unique. Columns `owner_id` have the owner, `user_id` and `actor_id` the actor (see `websocket_core.ids.OwnerID`).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from websocket_core.wire.vocabulary import PAIR_TYPES, TERMINAL_TYPES

NOBODY = ""  # the owner of deleted threads that still have rows; no user has this id


class Process(models.Model):
    """A server or worker process. Its heartbeat tells whether its connections and leases are still valid."""

    process_id = models.CharField(max_length=128, primary_key=True)
    kind = models.CharField(max_length=16)  # "server", "worker", "command"
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    delivery_p99 = models.FloatField(null=True, blank=True)  # seconds, of the last minute; null without deliveries

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"


class JournalCommit(models.Model):
    """The latest batch that a journal has committed, for `websocket_core.journal.commits`.

    There is one row for each event loop that writes. It has no index except the key, because every transaction writes
    it.
    """

    journal_id = models.CharField(max_length=128, primary_key=True)
    batch = models.BigIntegerField()
    committed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.journal_id} {self.batch}"


class JournalEpoch(models.Model):
    """Identifies the history of this database, for `websocket_core.journal.epoch`. There is one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=128)
    identity = models.TextField()  # JSON: identifies the database in which the epoch was recorded
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.epoch


class Thread(models.Model):
    """A conversation of one owner, the head of its journal, and the lease to write to it."""

    owner_id = models.CharField(max_length=255)
    thread_id = models.CharField(max_length=128)
    title = models.CharField(max_length=200, blank=True)
    last_seq = models.BigIntegerField(default=0)
    first_seq = models.BigIntegerField(default=1)  # the oldest event that retention has kept
    # The run that has the lease; at most one. Null, not empty, because SQL compares it.
    active_run_id = models.CharField(max_length=128, null=True, blank=True)  # noqa: DJ001
    fence = models.BigIntegerField(default=0)  # fencing token of the lease; increases with every lease
    # Size of its events and runs, and how much of that its owner's `OwnerDay` does not include yet.
    bytes = models.BigIntegerField(default=0)
    uncounted_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)  # the row is kept: (thread_id, seq) is never reused

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "thread_id"], name="thread_of_owner")]
        indexes = [
            models.Index(fields=["owner_id", "updated_at"], name="thread_owner_updated"),  # sync, heads, the watchdog
            models.Index(fields=["updated_at"], name="thread_updated"),  # the admin's list, and retention
        ]

    def __str__(self) -> str:
        return self.title or self.thread_id


class OwnerDay(models.Model):
    """How many bytes an owner has stored today, over all threads, including deleted ones.

    The start of a run also locks this row, so that concurrent starts in any number of processes are checked one at a
    time. It is locked after every thread that a transaction needs, in the order of the owners.
    """

    owner_id = models.CharField(max_length=255, primary_key=True)
    day = models.IntegerField()  # `date.toordinal()`, UTC
    bytes = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["day"], name="owner_day_day")]  # retention

    def __str__(self) -> str:
        return f"{self.owner_id} {self.bytes}"


class Event(models.Model):
    """One journalled event: the final encoded frame, which is always sent in exactly this form."""

    # No foreign key constraint: only the journal inserts, while it holds the thread's row locked. The check would cost
    # as much as the insert.
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="events", db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    run_id = models.CharField(max_length=128)
    event_type = models.CharField(max_length=32)
    frame = models.TextField()
    created_at = models.DateTimeField()
    # The person who caused the event: started or stopped the run, or answered the approval. The journal writes the
    # column only for such events, so it has a default in the database.
    actor_id = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["thread", "seq"], name="event_seq"),
            models.UniqueConstraint(
                fields=["thread", "run_id"],
                condition=Q(event_type__in=TERMINAL_TYPES),
                name="one_terminal_event_per_run",
            ),
        ]
        indexes = [
            # Finds the open tools and approvals of a run whose process has died, without reading the run's text.
            models.Index(
                fields=["thread", "run_id", "seq"], condition=Q(event_type__in=PAIR_TYPES), name="event_pairs_of_run"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.event_type}"


class Connection(models.Model):
    """One WebSocket, open or past."""

    connection_id = models.CharField(max_length=128, primary_key=True)
    user_id = models.CharField(max_length=255)
    thread_id = models.CharField(max_length=128, blank=True)  # the thread it last worked in
    process = models.ForeignKey(
        Process, models.CASCADE, related_name="connections", db_index=False, db_constraint=False
    )
    credential = models.CharField(max_length=16)  # "token", "oidc", "session", "ticket"
    client = models.CharField(max_length=200, blank=True)  # the User-Agent header
    connected_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    disconnected_at = models.DateTimeField(null=True, blank=True)  # null while the socket is open
    close_code = models.PositiveIntegerField(null=True, blank=True)
    close_requested_at = models.DateTimeField(null=True, blank=True)  # when an operator asked to close it

    class Meta:
        indexes = [
            models.Index(fields=["user_id"], condition=Q(disconnected_at=None), name="connection_live_of_user"),
            models.Index(fields=["process"], condition=Q(disconnected_at=None), name="connection_live_of_process"),
            models.Index(fields=["connected_at"], name="connection_connected"),
            models.Index(fields=["disconnected_at"], name="connection_disconnected"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.connection_id}"


class AccessToken(models.Model):
    """A first-party bearer token. Only its digest is stored, so a copy of the database opens no connection."""

    user_id = models.CharField(max_length=255, db_index=True)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256, hexadecimal
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label or f"token {self.pk}"


class Ticket(models.Model):
    """A single-use, short-lived credential for one handshake, for clients without headers and subprotocols."""

    user_id = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, unique=True)
    credential = models.JSONField()  # the credential that requested it; the socket closes when that ends
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.pk}"
