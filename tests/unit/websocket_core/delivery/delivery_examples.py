"""Short words for the examples of delivery: events, a machine, a resume, the answer to a read."""

from websocket_core.delivery import Delivery

BIG = 10_000


def event(thread_id, seq, chars=0):
    return f"{thread_id}/{seq}".ljust(chars, ".")


def events(thread_id, first_seq, last_seq, chars=0):
    return [event(thread_id, seq, chars) for seq in range(first_seq, last_seq + 1)]


def delivery(heads=None, **options):
    return Delivery(heads or {}, **{"max_buffer": BIG, "window": BIG, "held": False, **options})


def resume(machine, thread_id, cursor, last_seq, name="r"):
    machine.resume(
        thread_id,
        cursor,
        last_seq,
        lambda first, last: f"replaying {name} {thread_id} {first}-{last}",
        lambda last: f"resumed {name} {thread_id} {last}",
    )


def answer(machine, thread_id, last_seq, limit=100, chars=0):
    """Obey the one Read that is due, from a journal with events 1 to last_seq."""
    (read,) = machine.reads()
    assert read.thread == thread_id
    machine.page(read, events(thread_id, read.after + 1, min(last_seq, read.after + limit), chars))
    return read
