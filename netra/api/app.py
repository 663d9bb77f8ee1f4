"""The API's operations."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Path, Query, Status

from netra import thread_cursor
from netra.agents.service import get_runtime
from netra.agents.start_policy import startable_kinds
from netra.api import problems, reads, schemas, writes
from netra.api.document import NetraAPI, StrictParser
from netra.api.identity import ApiRequest, authenticate
from websocket_core.auth import issue_ticket
from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.ids import NAME_LENGTH, NAME_PATTERN
from websocket_core.journal import reading as journal_read
from websocket_core.process.background import AWAY
from websocket_core.protocols.run_service import StartRequest
from websocket_core.retention.removal import remove_deleted
from websocket_core.wire.frames import moment

NAME = f"^{NAME_PATTERN}$"
ThreadName = Annotated[str, Path(pattern=NAME)]
RunName = Annotated[str, Path(pattern=NAME)]
Limit = Annotated[int, Query(ge=1, le=200)]
REMOVAL_SECONDS = (
    1.0  # after that, a sweeper removes the remaining rows of a deleted thread; its user no longer sees it anyway
)

api = NetraAPI(
    title="Netra",
    version="1",
    description="The HTTP API that complements the WebSocket at `/ws`. Errors are problem documents.",
    auth=authenticate,
    parser=StrictParser(),
    urls_namespace="netra-api",
)
problems.install(api)


@api.get("/me", response=schemas.Me)
async def me(request: ApiRequest) -> dict[str, Any]:
    """The caller."""
    identity = request.auth
    return {"user_id": identity.user_id, "credential": identity.kind, "expires_at": moment(identity.expires_at)}


@api.post("/tickets", response={201: schemas.TicketOut})
async def create_ticket(request: ApiRequest) -> Status[dict[str, Any]]:
    """A single-use key to one WebSocket handshake (`/ws?ticket=…`), for clients that can set neither headers nor
    subprotocols.
    """
    text, seconds = await issue_ticket(request.auth)
    return Status(201, {"ticket": text, "expires_in": seconds})


@api.get("/tokens", response=schemas.Tokens)
async def list_tokens(
    request: ApiRequest, limit: Limit = 50, before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
) -> dict[str, Any]:
    """The user's tokens without their texts, newest first; `before` is a `next_before`."""
    found = await db.read(reads.own_tokens, request.auth.user_id, limit + 1, before)
    return {"tokens": found[:limit], "next_before": found[limit - 1]["id"] if found[limit:] else None}


@api.post("/tokens", response={201: schemas.NewToken})
async def create_token(request: ApiRequest, body: schemas.TokenIn) -> Status[dict[str, Any]]:
    """Create a bearer token for scripts. Requires a session: a token cannot create tokens that outlive it."""
    if request.auth.kind != "session":
        raise problems.Problem(
            403, "session_required", "Log in: tokens are created in a session, not with another token."
        )
    ttl = None if body.ttl is None else timedelta(seconds=body.ttl)
    return Status(201, await db.write(writes.make_token, request.auth.user_id, ttl, body.label))


@api.delete("/tokens/{token_id}", response={204: None})
async def delete_token(request: ApiRequest, token_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> HttpResponse:
    """Revoke a token; its sockets are closed."""
    await db.write(writes.revoke_token, request.auth.user_id, token_id)
    return HttpResponse(status=204)


@api.get("/agents", response=list[schemas.Agent])
async def list_agents(request: ApiRequest) -> list[dict[str, Any]]:
    """The agents that the user may start."""
    return [
        {
            "name": kind.name,
            "aliases": list(kind.aliases),
            "description": kind.description,
            "input_schema": kind.input_schema,
        }
        for kind in await startable_kinds(request.auth.user_id)
    ]


@api.get("/threads", response=schemas.Threads)
async def list_threads(
    request: ApiRequest, limit: Limit = 50, before: Annotated[str | None, Query(pattern=reads.THREAD_CURSOR)] = None
) -> dict[str, Any]:
    """The user's threads, newest first; `before` is a `next_before`, or an `updated_at`."""
    found = await db.read(reads.threads, request.auth.user_id, limit + 1, before)
    return {"threads": found[:limit], "next_before": reads.thread_cursor(found[limit - 1]) if found[limit:] else None}


@api.get("/threads/{thread_id}", response=schemas.Thread)
async def read_thread(request: ApiRequest, thread_id: ThreadName) -> dict[str, Any]:
    """One thread."""
    return await db.read(reads.thread, request.auth.user_id, thread_id)


@api.patch("/threads/{thread_id}", response=schemas.Thread)
async def rename_thread(request: ApiRequest, thread_id: ThreadName, body: schemas.Rename) -> dict[str, Any]:
    """Rename a thread."""
    await db.write(writes.rename_thread, request.auth.user_id, thread_id, body.title)
    return await db.read(reads.thread, request.auth.user_id, thread_id)


@api.delete("/threads/{thread_id}", response={204: None})
async def delete_thread(request: ApiRequest, thread_id: ThreadName) -> HttpResponse:
    """Delete a thread, its runs and its events; refused while one of its runs is open."""
    await db.write(writes.delete_thread, request.auth.user_id, thread_id)
    with suppress(*AWAY):  # the thread is deleted; a sweeper removes the rest
        await remove_deleted(REMOVAL_SECONDS)
    return HttpResponse(status=204)


@api.get("/threads/{thread_id}/events", response=schemas.Events)
async def list_events(
    request: ApiRequest,
    thread_id: ThreadName,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    epoch: Annotated[str | None, Query(max_length=NAME_LENGTH)] = None,
) -> HttpResponse:
    """A thread's events after a cursor, byte for byte as on the socket. If `epoch` differs from the
    answer's, the cursor belongs to a history that no longer exists.
    """
    user_id = request.auth.user_id
    bounds, now = await thread_cursor.checked(user_id, thread_id, after, epoch)
    page = await db.read(journal_read.read_after, user_id, thread_id, after, conf.PAGE_CHARS)
    end = after + len(page.frames)
    following = str(end) if page.frames and end < bounds.last_seq else "null"
    body = (
        f'{{"events":[{",".join(page.frames)}],"last_seq":{bounds.last_seq},"next_after":{following},"epoch":"{now}"}}'
    )
    return HttpResponse(body, content_type="application/json")


@api.get("/threads/{thread_id}/runs", response=schemas.Runs)
async def list_runs(
    request: ApiRequest,
    thread_id: ThreadName,
    limit: Limit = 50,
    before: Annotated[str | None, Query(pattern=NAME)] = None,
) -> dict[str, Any]:
    """A thread's runs, newest first; `before` is a `next_before`."""
    found = await db.read(reads.runs, request.auth.user_id, thread_id, limit + 1, before)
    return {"runs": found[:limit], "next_before": found[limit - 1]["run_id"] if found[limit:] else None}


@api.post("/runs", response={201: schemas.StartOut, 200: schemas.StartOut})
async def start_run(request: ApiRequest, body: schemas.StartIn) -> Status[dict[str, Any]]:
    """Start a run, as `start_agent` does. A `run_id` that was used before starts nothing: 200 instead of 201."""
    asked = StartRequest(
        user_id=request.auth.user_id,
        agent_type=body.agent_type,
        thread_id=body.thread_id,
        run_id=body.run_id,
        input=body.input,
        if_busy=body.if_busy or "enqueue",
        request_id=body.request_id,
    )
    outcome = await get_runtime().start(asked)
    answer = {"run_id": outcome.run_id, "thread_id": outcome.thread_id, "existing": outcome.existing}
    return Status(200 if outcome.existing else 201, answer)


@api.get("/runs/{run_id}", response=schemas.Run)
async def read_run(request: ApiRequest, run_id: RunName) -> dict[str, Any]:
    """One run."""
    return await db.read(reads.run, request.auth.user_id, run_id)


@api.post("/runs/{run_id}/stop", response={202: schemas.Run})
async def stop_run(request: ApiRequest, run_id: RunName, body: schemas.StopIn | None = None) -> Status[dict[str, Any]]:
    """Ask a run to stop; its `agent_cancelled` event says when it has stopped."""
    await get_runtime().stop(user_id=request.auth.user_id, run_id=run_id, reason=body.reason if body else None)
    return Status(202, await db.read(reads.run, request.auth.user_id, run_id))


@api.post("/runs/{run_id}/approvals/{approval_id}", response={200: schemas.Run})
async def respond(
    request: ApiRequest, run_id: RunName, approval_id: RunName, body: schemas.RespondIn
) -> dict[str, Any]:
    """Decide an approval, once."""
    await get_runtime().respond(
        user_id=request.auth.user_id,
        run_id=run_id,
        approval_id=approval_id,
        approved=body.approved,
        value=body.value,
        arguments=body.arguments,
    )
    return await db.read(reads.run, request.auth.user_id, run_id)


@api.api_operation(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "/{path:rest}", include_in_schema=False, auth=None
)
async def no_such_thing(request: HttpRequest, rest: str) -> HttpResponse:
    """All other addresses, answered like every other error."""
    return problems.respond(404, "not_found", f"There is no such address. See {reverse('netra-api:openapi-view')}.")


api.finish()
