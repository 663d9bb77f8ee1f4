"""The handlers of actions. A handler only changes state or starts work; it never waits for an agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, Final

from websocket_core import auth
from websocket_core.connections import Resume, resume_threads
from websocket_core.consumer.session import Session
from websocket_core.errors import InvalidAction, InvalidCursor, Unauthenticated
from websocket_core.ids import ThreadKey, is_name
from websocket_core.journal import reading as journal_read
from websocket_core.journal.epoch import with_epoch
from websocket_core.process.turn import Turn
from websocket_core.protocols.run_service import RunState, StartRequest
from websocket_core.wire import UnserialisableError, actions, close_codes, events, frames
from websocket_core.wire.vocabulary import OPEN_STATUSES

Handler = Callable[[Session, Any], Awaitable[ThreadKey | None]]
"""Carries out an action. Returns the thread in which an event is its answer, if there is one."""


async def start_agent(session: Session, action: actions.StartAgent) -> ThreadKey | None:
    """Start a run. An existing one is answered with a replay from before its first event."""
    connection = session.connection
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
    outcome = await session.runs.start(request)
    session.manager.update_connection_thread(connection.connection_id, outcome.thread_id)
    if outcome.existing:
        cursor = (outcome.first_seq or 1) - 1
        asked = Resume({outcome.thread_id: cursor}, action.request_id, forwards=False)
        await resume_threads(connection, asked, session.run_service)
        return None
    thread = connection.thread(outcome.thread_id)
    session.delivery.follow(thread)
    connection.wake()
    return thread


async def stop_agent(session: Session, action: actions.StopAgent) -> None:
    """Ask a run to stop. Its `agent_cancelled` tells when it has stopped."""
    await session.runs.stop(user_id=session.connection.user_id, run_id=action.run_id, reason=action.reason)


async def respond(session: Session, action: actions.Respond) -> None:
    """Decide an approval. Its `approval_resolved` tells all connections."""
    await session.runs.respond(
        user_id=session.connection.user_id,
        run_id=action.run_id,
        approval_id=action.approval_id,
        approved=action.approved,
        value=action.value,
        arguments=action.arguments,
    )


async def resume(session: Session, action: actions.Resume) -> None:
    """Position the connection in threads."""
    asked = Resume(action.cursors, action.request_id, action.epoch)
    await resume_threads(session.connection, asked, session.run_service)
    await _refuse_cursors(session, action)


async def _refuse_cursors(session: Session, action: actions.Resume | actions.Ack) -> None:
    """Send an error for each invalid cursor. The other threads are not affected."""
    turn = Turn()
    for thread_id in action.refused:
        await turn.share()
        with turn:
            named = is_name(thread_id) is not None
            problem = InvalidAction(
                "A cursor must be a whole number of at least 0." if named else "This is not a valid thread id.",
                field="cursors",
                thread_id=thread_id if named else None,
            )
            session.connection.refuse(problem, action.request_id)


async def sync(session: Session, action: actions.Sync) -> None:
    """List the user's threads, newest first."""
    connection, runs = session.connection, session.run_service
    try:
        before = None if action.before is None else action.before.astimezone(UTC)
    except OverflowError as error:
        raise InvalidAction("`before` lies outside the years 1 to 9999 in UTC.", field="before") from error
    epoch, threads = await with_epoch(journal_read.threads_of, connection.owner_id, action.limit or 50, before)
    states = await runs.thread_states(connection.user_id, [thread["thread_id"] for thread in threads]) if runs else {}
    for thread in threads:
        state = states.get(thread["thread_id"], RunState())
        thread["active_run_id"] = state.run_id if state.status in OPEN_STATUSES else None
        thread["updated_at"] = events.timestamp(thread["updated_at"])
    connection.tell("synced", threads=threads, epoch=epoch, request_id=action.request_id)


async def watch(session: Session, action: actions.Watch) -> None:
    """Limit live events to some threads."""
    connection = session.connection
    session.delivery.watch(None if action.threads == "*" else map(connection.thread, action.threads))
    watching = session.delivery.watching
    named = "*" if watching is None else [thread_id for _, thread_id in watching]
    connection.tell("watching", threads=named, request_id=action.request_id)


async def ack(session: Session, action: actions.Ack) -> None:
    """Record what the client has processed."""
    connection = session.connection
    cursors = {connection.thread(thread_id): seq for thread_id, seq in action.cursors.items()}
    turn = Turn()
    for (_, thread_id), last_seq in session.delivery.ack(cursors).items():
        await turn.share()
        with turn:
            problem = InvalidCursor("The ack is ahead of what was sent.", thread_id=thread_id, last_seq=last_seq)
            connection.refuse(problem, action.request_id)
    await _refuse_cursors(session, action)
    connection.wake()


async def authenticate(session: Session, action: actions.Authenticate) -> None:
    """Renew the credentials. Another user's token closes the connection, and an invalid one changes nothing."""
    connection = session.connection
    try:
        identity = await auth.identify_token(action.token)
    except Unauthenticated as error:
        raise Unauthenticated(str(error), **error.fields) from None
    if identity.user_id != connection.user_id:
        session.close(close_codes.FOREIGN_TOKEN, request_id=action.request_id)
        return
    connection.identity = identity
    connection.expiry_announced = False
    connection.tell("authenticated", expires_at=frames.moment(identity.expires_at), request_id=action.request_id)
    connection.warn_of_expiry()


async def ping(session: Session, action: actions.Ping) -> None:
    """Answer with a `pong`."""
    try:
        session.connection.tell("pong", payload=action.payload, request_id=action.request_id)
    except UnserialisableError as error:
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
