"""What the core keeps: threads, their events, connections, server processes, and the credentials that open a
connection.

Events are written by `websocket_core.journal` alone. Everything is found by `(owner_id, name)`: a name alone means
nothing. Columns named `owner_id` say whose something is, `user_id` and `actor_id` who acts (see
`websocket_core.ids.OwnerID`).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from websocket_core.wire.vocabulary import PAIR_TYPES, TERMINAL_TYPES

NOBODY = ""  # the owner of threads that were deleted and still have rows: no user has this id


class Process(models.Model):
    """A server or worker process. Its heartbeat tells whether what it claims (connections, leases) still holds."""

    process_id = models.CharField(max_length=128, primary_key=True)
    kind = models.CharField(max_length=16)  # "server", "worker", "command"
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    delivery_p99 = models.FloatField(null=True, blank=True)  # seconds, of the last minute; null: nothing was delivered

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"


class JournalCommit(models.Model):
    """The newest batch that a journal has committed, for `websocket_core.journal.commits`.

    One row for each event loop that writes. No index but the key: it is written with every transaction.
    """

    journal_id = models.CharField(max_length=128, primary_key=True)
    batch = models.BigIntegerField()
    committed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.journal_id} {self.batch}"


class JournalEpoch(models.Model):
    """Which history this is, for `websocket_core.journal.epoch`. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=128)
    identity = models.TextField()  # JSON: the database that had it
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.epoch


class Thread(models.Model):
    """A conversation of one owner, the head of its journal, and who may write to it."""

    owner_id = models.CharField(max_length=255)
    thread_id = models.CharField(max_length=128)
    title = models.CharField(max_length=200, blank=True)
    last_seq = models.BigIntegerField(default=0)
    first_seq = models.BigIntegerField(default=1)  # oldest event that retention has left
    # The leased run; at most one. Null, not empty: it is compared in SQL.
    active_run_id = models.CharField(max_length=128, null=True, blank=True)  # noqa: DJ001
    fence = models.BigIntegerField(default=0)  # fencing token of its lease; grows with every lease
    # What its events and runs take, and how much of that is not in its owner's `OwnerDay` yet.
    bytes = models.BigIntegerField(default=0)
    uncounted_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)  # the row stays: (thread_id, seq) names an event for ever

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "thread_id"], name="thread_of_owner")]
        indexes = [
            models.Index(fields=["owner_id", "updated_at"], name="thread_owner_updated"),  # sync, heads, the watchdog
            models.Index(fields=["updated_at"], name="thread_updated"),  # the admin's list, and retention
        ]

    def __str__(self) -> str:
        return self.title or self.thread_id


class OwnerDay(models.Model):
    """How many bytes an owner has stored today, over all threads, those that were deleted meanwhile included.

    Whoever starts a run locks this row, too: of any number of starts in any number of processes one is judged at a
    time. It is taken after every thread that a transaction needs, in the order of the owners.
    """

    owner_id = models.CharField(max_length=255, primary_key=True)
    day = models.IntegerField()  # `date.toordinal()`, UTC
    bytes = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["day"], name="owner_day_day")]  # retention

    def __str__(self) -> str:
        return f"{self.owner_id} {self.bytes}"


class Event(models.Model):
    """One journalled event: the final encoded frame, exactly as it is sent, every time."""

    # No foreign key constraint: only the journal inserts, holding the thread's row; the check would cost as much as
    # the insert.
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="events", db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    run_id = models.CharField(max_length=128)
    event_type = models.CharField(max_length=32)
    frame = models.TextField()
    created_at = models.DateTimeField()
    # Who caused it, where a person did: started or stopped the run, answered the approval. The journal writes it for
    # those alone, hence the default in the database.
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
            # What a run whose process died has open: found without reading the run's text.
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
    close_requested_at = models.DateTimeField(null=True, blank=True)  # an operator wants it closed

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
    """A first-party bearer token. Only its digest is kept: the database does not open a door."""

    user_id = models.CharField(max_length=255, db_index=True)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256, hexadecimal
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label or f"token {self.pk}"


class Ticket(models.Model):
    """A single-use, short-lived key to one handshake, for clients that can set neither headers nor subprotocols."""

    user_id = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, unique=True)
    credential = models.JSONField()  # the credential that asked for it: the socket lives no longer than that
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.pk}"
