"""Positions a connection in threads by its client's cursors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from websocket_core.connections.connection import WebSocketConnection
from websocket_core.errors import CursorExpired, InvalidCursor
from websocket_core.journal import reading as journal_read
from websocket_core.journal.epoch import with_epoch
from websocket_core.journal.reading import Bounds
from websocket_core.process.turn import Turn
from websocket_core.protocols.run_service import RunService, RunState
from websocket_core.wire import frames

SETTLED = timedelta(seconds=5)  # a thread's `updated_at` may be a little behind its last event


class Resume(NamedTuple):
    """A request to resume.

    Attributes:
        cursors: by thread, the last seq that the client has.
        request_id: of the action; echoed in the answers.
        epoch: the epoch of the cursors. If it is outdated, no cursor is valid and nothing changes.
        forwards: whether threads may skip events that the connection has not been sent yet. If not, they stay where
            they are.
    """

    cursors: Mapping[str, int]
    request_id: str | None = None
    epoch: str | None = None
    forwards: bool = True


async def resume_threads(connection: WebSocketConnection, asked: Resume, runs: RunService | None) -> None:
    """Answer with the events after each cursor, then continue live. An invalid cursor does not affect other threads.

    Args:
        connection: a connection whose delivery has begun.
        asked: the threads and cursors.
        runs: knows the state of the threads' runs.
    """
    delivery = connection.delivery
    assert delivery is not None
    named = list(asked.cursors)
    # The states are read before the heads. If a run ends in between, its terminal event tells the client.
    states = await runs.thread_states(connection.user_id, named) if runs else {}
    epoch, found = await with_epoch(journal_read.bounds, connection.owner_id, named)
    turn = Turn()
    for thread_id, cursor in asked.cursors.items():
        await turn.share()
        with turn:
            if asked.epoch and asked.epoch != epoch:
                text = "A backup was restored: discard what you have of this thread, and resume from 0."
                problem = CursorExpired(text, thread_id=thread_id, first_seq=1, epoch=epoch)
                connection.refuse(problem, asked.request_id)
                continue
            here = None if asked.forwards else delivery.cursor(connection.thread(thread_id))
            after = cursor if here is None else min(cursor, here)
            answer = _Answer(thread_id, epoch, asked.request_id, states.get(thread_id, RunState()))
            _resume_thread(connection, after, found.get(thread_id, Bounds(1, 0)), answer)
    connection.wake()


class _Answer(NamedTuple):
    """Creates the frames that announce a thread's replay and its end."""

    thread_id: str
    epoch: str
    request_id: str | None
    state: RunState

    def replaying(self, from_seq: int, to_seq: int) -> str:
        return frames.control(
            "replaying",
            thread_id=self.thread_id,
            from_seq=from_seq,
            to_seq=to_seq,
            epoch=self.epoch,
            request_id=self.request_id,
        )

    def resumed(self, last_seq: int) -> str:
        return frames.control(
            "resumed",
            thread_id=self.thread_id,
            last_seq=last_seq,
            run_id=self.state.run_id,
            run_status=self.state.status,
            epoch=self.epoch,
            request_id=self.request_id,
        )


def _resume_thread(connection: WebSocketConnection, after: int, bounds: Bounds, answer: _Answer) -> None:
    thread_id = answer.thread_id
    if after > bounds.last_seq:
        connection.refuse(InvalidCursor(thread_id=thread_id, last_seq=bounds.last_seq), answer.request_id)
        return
    if after < bounds.first_seq - 1:
        connection.refuse(CursorExpired(thread_id=thread_id, first_seq=bounds.first_seq), answer.request_id)
        return
    assert connection.delivery is not None
    connection.delivery.resume(
        connection.thread(thread_id),
        after,
        bounds.last_seq,
        answer.replaying,
        answer.resumed,
        settled=_is_settled(connection, bounds),
    )


def _is_settled(connection: WebSocketConnection, bounds: Bounds) -> bool:
    """Whether a `Locate` would find the thread's head: it has not changed since before the handshake."""
    if not bounds.last_seq:
        return True
    moved_at, oldest = bounds.updated_at, connection.oldest
    return moved_at is not None and oldest is not None and moved_at + SETTLED < oldest
