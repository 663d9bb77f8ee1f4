"""Models of runs: their state, their approvals, and what agents remember about a thread.

A run's state only changes together with the journalled event that reports it, in one transaction
(`netra.agents.ledger`).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from websocket_core.models import Thread
from websocket_core.wire.vocabulary import OPEN_STATUSES


class RunStatus(models.TextChoices):
    """The wire protocol's `run_status`."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a person's decision
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = tuple(RunStatus(status) for status in OPEN_STATUSES)
ACTIVE = tuple(status for status in OPEN if status != RunStatus.QUEUED)  # these hold the thread


class Run(models.Model):
    """One execution of an agent in a thread. It is executed at most once."""

    owner_id = models.CharField(max_length=255)
    run_id = models.CharField(max_length=128)
    actor_id = models.CharField(max_length=255, blank=True)  # the user who started it or the run that it replaces
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="runs")
    agent_type = models.CharField(max_length=128)
    input = models.TextField(default="{}")  # JSON, as in the frame
    request_id = models.CharField(max_length=128, blank=True)
    trace = models.CharField(max_length=64, blank=True)  # W3C trace context of its recording; empty if tracing is off
    # 1, or for a retry after a lost worker, one more than the attempt of the lost run.
    attempt = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.QUEUED)
    first_seq = models.BigIntegerField(null=True, blank=True)  # the run's first event
    last_seq = models.BigIntegerField(null=True, blank=True)  # its terminal event
    result = models.TextField(blank=True)  # JSON of what the agent returned; for `ctx.history`
    code = models.CharField(max_length=32, blank=True)  # of `agent_failed`
    incident = models.CharField(max_length=64, blank=True)  # id under which the log has details
    # JSON of the usage that the agent has reported, as of the latest renewal of its lease, of its rest, or of its end.
    usage = models.TextField(blank=True)
    # Sums of that, and what it cost; written at its end.
    input_tokens = models.BigIntegerField(default=0, db_default=0)
    output_tokens = models.BigIntegerField(default=0, db_default=0)
    total_tokens = models.BigIntegerField(default=0, db_default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    # When any process may see to what follows the run's end (its cost, `run_finished`); null: nothing is left to do.
    follow_up_at = models.DateTimeField(null=True, blank=True)
    signal_due = models.BooleanField(default=False, db_default=False)  # `run_finished` has not been received
    worker_id = models.CharField(max_length=128, blank=True)  # the process that holds the lease
    lease_until = models.DateTimeField(null=True, blank=True)  # null while queued, resting, or over
    resting = models.BooleanField(default=False)  # waits for decisions without occupying a process
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=1024, blank=True)
    stop_actor_id = models.CharField(max_length=255, blank=True)  # the user who asked to stop it
    retried_as = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner_id", "run_id"], name="run_of_owner"),
            models.UniqueConstraint(
                fields=["thread"], condition=Q(status__in=ACTIVE), name="one_active_run_per_thread"
            ),
        ]
        indexes = [
            models.Index(fields=["owner_id"], condition=Q(status__in=OPEN), name="run_open_of_owner"),
            models.Index(fields=["status", "id"], condition=Q(status__in=OPEN), name="run_open"),
            # Declared after `run_open`: without statistics, SQLite chooses the later one of two indexes that seem
            # equally good.
            models.Index(fields=["thread", "id"], condition=Q(status__in=OPEN), name="run_open_of_thread"),
            models.Index(fields=["created_at"], name="run_created"),
            # Everything that sums of usage read, so that they read no run.
            models.Index(
                fields=[
                    *("finished_at", "owner_id", "agent_type"),
                    *("input_tokens", "output_tokens", "total_tokens", "cost"),
                ],
                name="run_usage",
            ),
            models.Index(fields=["follow_up_at"], condition=Q(follow_up_at__isnull=False), name="run_follow_up"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_type} {self.run_id}"


class Approval(models.Model):
    """A question to a person: may this tool run with these arguments?"""

    owner_id = models.CharField(max_length=255)
    approval_id = models.CharField(max_length=128)
    run = models.ForeignKey(Run, models.CASCADE, related_name="approvals")
    tool_call_id = models.CharField(max_length=128)
    tool_name = models.CharField(max_length=255)
    arguments = models.TextField()  # JSON
    arguments_digest = models.CharField(
        max_length=64
    )  # SHA-256 of tool name and arguments, to which the approval is bound
    message = models.TextField(blank=True)
    kind = models.CharField(max_length=16, default="approval", db_default="approval")  # or "tool", "input"
    decisions = models.CharField(max_length=32, blank=True, db_default="")  # "approve edit reject"; empty: no edits
    answer_schema = models.TextField(blank=True)  # JSON Schema of the value of a yes; empty: any value
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "approval_id"], name="approval_of_owner")]

    def __str__(self) -> str:
        return f"{self.tool_name} {self.approval_id}"


class Decision(models.Model):
    """The only answer to an approval. Its primary key is the approval's, so there cannot be a second one."""

    approval = models.OneToOneField(Approval, models.CASCADE, primary_key=True, related_name="decision")
    approved = models.BooleanField()
    value = models.TextField(default="null")  # JSON
    arguments = models.TextField(blank=True, db_default="")  # JSON of the edited arguments; empty: not edited
    by = models.CharField(max_length=16)  # "user", "expired", "cancelled"
    actor_id = models.CharField(max_length=255, blank=True)  # the user who answered, if there is one
    decided_at = models.DateTimeField()

    def __str__(self) -> str:
        return "approved" if self.approved else "denied"


class Memory(models.Model):
    """What an agent remembers about a thread or a resting run: opaque bytes under a key that the agent chooses."""

    thread = models.ForeignKey(Thread, models.CASCADE, related_name="memories")
    key = models.CharField(max_length=200)
    data = models.BinaryField()
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "memories"
        constraints = [models.UniqueConstraint(fields=["thread", "key"], name="memory_of_thread")]

    def __str__(self) -> str:
        return self.key


class RequestedStart(models.Model):
    """A start requested inside a transaction of the site. It takes place once the transaction is committed.

    The row is deleted when the run exists, or when the start is refused.
    """

    owner_id = models.CharField(max_length=255)
    run_id = models.CharField(max_length=128)
    request = models.TextField()  # JSON: the other fields of `websocket_core.protocols.run_service.StartRequest`
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "run_id"], name="requested_start_of_owner")]

    def __str__(self) -> str:
        return self.run_id


class Erasure(models.Model):
    """A user whose data is to be deleted. The row is deleted last, so that another process continues if one dies."""

    owner_id = models.CharField(max_length=255, primary_key=True)
    requested_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.owner_id
