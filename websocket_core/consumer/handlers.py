"""What each action does. A handler only changes state or starts work; none waits for an agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from websocket_core import auth
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.errors import CursorExpired, InvalidAction, InvalidCursor, Unauthenticated, UnknownAction
from websocket_core.ids import is_name
from websocket_core.journal import reading as journal_read
from websocket_core.journal.epoch import with_epoch
from websocket_core.journal.reading import Bounds
from websocket_core.process.turn import Turn
from websocket_core.run_service import RunService, RunState, StartRequest
from websocket_core.vocabulary import OPEN_STATUSES
from websocket_core.wire import actions, encoding, events, frames

if TYPE_CHECKING:
    from websocket_core.consumer.consumer import NetraConsumer

Handler = Callable[["NetraConsumer", WebSocketConnection, Any], Awaitable[None]]


def _service(consumer: NetraConsumer) -> RunService:
    if consumer.run_service is None:
        raise UnknownAction("This server runs no agents.")
    return consumer.run_service


async def start_agent(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.StartAgent) -> None:
    """Start a run; one that is there already is answered with a replay from before its first event."""
    request = StartRequest(
        user_id=connection.user_id,
        agent_type=action.agent_type,
        thread_id=action.thread_id,
        run_id=action.run_id,
        input=action.input,
        if_busy=action.if_busy or "enqueue",
        request_id=action.request_id,
        connection_id=connection.connection_id,
    )
    outcome = await _service(consumer).start(request)
    assert consumer.manager is not None
    consumer.manager.update_connection_thread(connection.connection_id, outcome.thread_id)
    if outcome.existing:
        cursor = (outcome.first_seq or 1) - 1
        await _resume(consumer, connection, {outcome.thread_id: cursor}, action.request_id, forwards=False)
    elif connection.delivery is not None:
        consumer.awaited = connection.thread(outcome.thread_id)
        connection.delivery.follow(consumer.awaited)
        connection.wake()


async def stop_agent(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.StopAgent) -> None:
    """Ask a run to stop; `agent_cancelled` tells when it has."""
    await _service(consumer).stop(user_id=connection.user_id, run_id=action.run_id, reason=action.reason)


async def respond(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Respond) -> None:
    """Decide an approval; `approval_resolved` tells everybody."""
    await _service(consumer).respond(
        user_id=connection.user_id,
        run_id=action.run_id,
        approval_id=action.approval_id,
        approved=action.approved,
        value=action.value,
    )


async def resume(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Resume) -> None:
    """Position the connection in threads."""
    await _resume(consumer, connection, action.cursors, action.request_id, epoch=action.epoch)
    await _refuse_cursors(connection, action)


async def _refuse_cursors(connection: WebSocketConnection, action: actions.Resume | actions.Ack) -> None:
    """Tell of each thread whose cursor is none; what is wrong with it costs the others nothing."""
    turn = Turn()
    for thread_id in action.refused:
        await turn.share()
        with turn:
            named = is_name(thread_id) is not None
            error = InvalidAction(
                "A cursor is a whole number from 0 on." if named else "This is not the name of a thread.",
                field="cursors",
                thread_id=thread_id if named else None,
                request_id=action.request_id,
            )
            connection.control(frames.error_of(error))


async def _resume(
    consumer: NetraConsumer,
    connection: WebSocketConnection,
    cursors: Mapping[str, int],
    request_id: str | None,
    *,
    epoch: str | None = None,
    forwards: bool = True,
) -> None:
    """Position the connection.

    Args:
        epoch: the one in which the cursors were true; with another one nothing of them is, and nothing moves.
        forwards: it may skip what the connection has not been sent yet; else it stays where it is.
    """
    # The states are read before the heads: a run that ends in between then ends, for the client, with the event that
    # tells of it.
    states = await consumer.run_service.thread_states(connection.user_id, list(cursors)) if consumer.run_service else {}
    here_now, found = await with_epoch(journal_read.bounds, connection.user_id, list(cursors))
    is_other = bool(epoch) and epoch != here_now
    turn = Turn()
    for thread_id, cursor in cursors.items():
        await turn.share()
        with turn:
            if is_other:
                begins = CursorExpired(
                    "A backup was restored: forget what you have of this thread, and resume from 0.",
                    thread_id=thread_id,
                    first_seq=1,
                    epoch=here_now,
                    request_id=request_id,
                )
                connection.control(frames.error_of(begins))
                continue
            here = (
                None
                if forwards or connection.delivery is None
                else connection.delivery.cursor(connection.thread(thread_id))
            )
            _resume_thread(
                connection,
                thread_id,
                cursor if here is None else min(cursor, here),
                found.get(thread_id, Bounds(1, 0)),
                states.get(thread_id, RunState()),
                {"epoch": here_now, "request_id": request_id},
            )
    connection.wake()


def _resume_thread(
    connection: WebSocketConnection,
    thread_id: str,
    cursor: int,
    bounds: Bounds,
    state: RunState,
    answered: Mapping[str, Any],
) -> None:
    request_id = answered["request_id"]
    if cursor > bounds.last_seq:
        error = InvalidCursor(thread_id=thread_id, last_seq=bounds.last_seq, request_id=request_id)
        connection.control(frames.error_of(error))
        return
    if cursor < bounds.first_seq - 1:
        expired = CursorExpired(thread_id=thread_id, first_seq=bounds.first_seq, request_id=request_id)
        connection.control(frames.error_of(expired))
        return

    def replaying(from_seq: int, to_seq: int) -> str:
        return frames.control("replaying", thread_id=thread_id, from_seq=from_seq, to_seq=to_seq, **answered)

    def resumed(last_seq: int) -> str:
        return frames.control(
            "resumed",
            thread_id=thread_id,
            last_seq=last_seq,
            run_id=state.run_id,
            run_status=state.status,
            **answered,
        )

    assert connection.delivery is not None
    settled = connection.settled(bounds)
    connection.delivery.resume(
        connection.thread(thread_id), cursor, bounds.last_seq, replaying, resumed, settled=settled
    )


async def sync(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Sync) -> None:
    """List the user's threads, newest first."""
    try:
        before = None if action.before is None else action.before.astimezone(UTC)
    except OverflowError as error:
        raise InvalidAction("`before` lies outside the years 1 to 9999 in UTC.", field="before") from error
    epoch, threads = await with_epoch(journal_read.threads_of, connection.user_id, action.limit or 50, before)
    states = (
        await consumer.run_service.thread_states(connection.user_id, [thread["thread_id"] for thread in threads])
        if consumer.run_service
        else {}
    )
    for thread in threads:
        state = states.get(thread["thread_id"], RunState())
        thread["active_run_id"] = state.run_id if state.status in OPEN_STATUSES else None
        thread["updated_at"] = events.timestamp(thread["updated_at"])
    connection.control(frames.control("synced", threads=threads, epoch=epoch, request_id=action.request_id))


async def watch(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Watch) -> None:
    """Limit live events to some threads."""
    assert connection.delivery is not None
    connection.delivery.watch(None if action.threads == "*" else map(connection.thread, action.threads))
    watching = connection.delivery.watching
    named = "*" if watching is None else [thread_id for _, thread_id in watching]
    connection.control(frames.control("watching", threads=named, request_id=action.request_id))


async def ack(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Ack) -> None:
    """What the client has processed."""
    assert connection.delivery is not None
    turn = Turn()
    cursors = {connection.thread(thread_id): seq for thread_id, seq in action.cursors.items()}
    for (_, thread_id), last_seq in connection.delivery.ack(cursors).items():
        await turn.share()
        with turn:
            error = InvalidCursor(
                "The ack is ahead of what was sent.",
                thread_id=thread_id,
                last_seq=last_seq,
                request_id=action.request_id,
            )
            connection.control(frames.error_of(error))
    await _refuse_cursors(connection, action)
    connection.wake()


async def authenticate(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Authenticate) -> None:
    """A fresh token of the same user; another user's closes, garbage changes nothing."""
    try:
        identity = await auth.identify_token(action.token)
    except Unauthenticated as error:
        raise Unauthenticated(str(error), **error.fields) from None
    if identity.user_id != connection.user_id:
        consumer.close(4401, "unauthenticated", "This token is another user's.", request_id=action.request_id)
        return
    connection.identity = identity
    connection.expiry_announced = False
    connection.control(
        frames.control("authenticated", expires_at=frames.moment(identity.expires_at), request_id=action.request_id)
    )
    connection.warn_of_expiry()


async def ping(consumer: NetraConsumer, connection: WebSocketConnection, action: actions.Ping) -> None:
    """Is anybody there?"""
    try:
        connection.control(frames.control("pong", payload=action.payload, request_id=action.request_id))
    except encoding.UnserialisableError as error:
        raise InvalidAction("The payload is nested too deeply.", field="payload") from error


ACTION_TABLE: Final[dict[type[actions.Action], Handler]] = {
    actions.StartAgent: start_agent,
    actions.StopAgent: stop_agent,
    actions.Respond: respond,
    actions.Resume: resume,
    actions.Sync: sync,
    actions.Watch: watch,
    actions.Ack: ack,
    actions.Authenticate: authenticate,
    actions.Ping: ping,
}
