"""Two processes that write to the same threads never wait for each other: both take the rows in the same order."""

import random
import threading
from collections.abc import Sequence

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import Sum

from test_framework.journal_operations import state
from test_framework.ssot.factories import GOOGLE
from websocket_core.journal import Transaction, commit_now
from websocket_core.journal.statements import statements
from websocket_core.models import Thread

pytestmark = [
    pytest.mark.usefixtures("each_database"),
    # SQLite has one lock for all: there is no order.
    pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True),
]
THREADS = 40
ROUNDS = 100

Keys = list[tuple[str, str]]


@pytest.fixture
def keys(each_database: str) -> Keys:
    """Threads, in the order of their rows' numbers; in the table their rows lie the other way round."""
    found = [(GOOGLE, f"t{number}") for number in range(THREADS)]
    for _, thread in found:
        commit_now(state(thread=thread))
    for _, thread in reversed(found):
        commit_now(state(thread=thread))
    return found


class Process(threading.Thread):
    """Another process: it writes to threads, some at a time, again and again, and remembers what went wrong."""

    def __init__(self, batches: Sequence[Keys], together: threading.Barrier | None) -> None:
        super().__init__()
        self.batches, self.together = batches, together
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for keys in self.batches:
                operations = [state(thread=thread) for _, thread in keys]
                if self.together is not None:
                    self.together.wait(60)
                with transaction.atomic():
                    work = Transaction()
                    work.lock(operations)
                    for operation in operations:
                        operation.apply(work)
                    work.flush()
        except OperationalError as error:
            self.error = error
            if self.together is not None:
                self.together.abort()
        except threading.BrokenBarrierError:
            pass  # the other one has failed
        finally:
            connection.close()


def test_two_processes__in_the_same_threads__never_deadlock(keys: Keys) -> None:
    """The order in which PostgreSQL finds rows is another one for each number of them."""
    chance = random.Random(0)
    before = Thread.objects.aggregate(all=Sum("last_seq"))["all"]
    batches = [[chance.sample(keys, chance.randrange(2, THREADS)) for _ in range(3 * ROUNDS)] for _ in range(2)]
    work_together(batches, None)
    written = sum(len(batch) for mine in batches for batch in mine)
    assert Thread.objects.aggregate(all=Sum("last_seq"))["all"] == before + written


def test_two_processes__that_make_the_same_threads__never_deadlock(keys: Keys) -> None:
    names = [[(GOOGLE, f"{number}-{name}") for name in range(8)] for number in range(ROUNDS)]
    work_together([names, [[*reversed(keys)] for keys in names]], threading.Barrier(2))
    assert Thread.objects.filter(last_seq=2).count() == THREADS + 8 * ROUNDS


def work_together(batches: Sequence[Sequence[Keys]], together: threading.Barrier | None) -> None:
    """Two processes at once; `together`: they begin each batch in the same moment."""
    processes = [Process(mine, together) for mine in batches]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.error for process in processes] == [None] * len(batches)


@pytest.mark.parametrize("held", [0, THREADS // 2, THREADS - 1])
def test_writer_that_waits_for_a_row__holds_those_before_it_and_none_after(keys: Keys, held: int) -> None:
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Thread.objects.select_for_update().get(thread_id=f"t{held}")
            taken.set()
            release.wait(60)
        connection.close()

    def write() -> None:
        with transaction.atomic():
            statements().lock_threads([*reversed(keys)], Transaction().now)
        connection.close()

    holder, writer = threading.Thread(target=hold), threading.Thread(target=write)
    holder.start()
    assert taken.wait(60)
    writer.start()
    try:
        while not _somebody_waits():
            assert writer.is_alive()
        with transaction.atomic():
            free = Thread.objects.select_for_update(skip_locked=True).values_list("thread_id", flat=True)
            assert {name for _, name in keys[held + 1 :]} == set(free)
    finally:
        release.set()
        holder.join(60)
        writer.join(60)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None
