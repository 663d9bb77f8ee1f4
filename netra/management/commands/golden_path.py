"""`manage.py golden_path`: runs the golden path against any deployment, as a smoke test and health probe."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from netra import addresses
from websocket_core.auth import tokens
from websocket_core.conf.extras import MissingPackage, require
from websocket_core.ids import new_id
from websocket_core.wire import RunGrammar

with suppress(ImportError):  # the command reports what to install
    import websockets

STEPS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")


class StepFailed(Exception):
    """A step of the golden path failed; the message says what to check."""


class Command(BaseCommand):
    """Connects, runs the `test` agent, checks the five critical events, reconnects and resumes. Exit code 0 or 1."""

    help = "Runs the golden path against a deployment and prints each step with its time. Exit code 0 or 1."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default=addresses.local_url(), help="URL of the WebSocket (default: %(default)s)")
        parser.add_argument(
            "--token",
            default=os.environ.get("NETRA_TOKEN"),
            help="bearer token (default: $NETRA_TOKEN, otherwise a new one from this installation's database)",
        )
        parser.add_argument("--agent", default="test", help="the agent to run (default: %(default)s)")
        parser.add_argument("--timeout", type=float, default=15.0, help="seconds for each step (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            require("websockets", "manage.py golden_path")
        except MissingPackage as error:
            raise CommandError(str(error)) from error
        token = options["token"] or self._issue()
        walk = Walk(options["url"], token, options["agent"], options["timeout"])
        walk.on_step = None if options["json"] else self._print
        problem: str | None = None
        try:
            asyncio.run(walk.run())
        except StepFailed as error:
            problem = str(error)
        if options["json"]:
            self.stdout.write(
                json.dumps({"ok": problem is None, "url": walk.url, "error": problem, "steps": walk.steps})
            )
        elif problem is None:
            self.stdout.write(f"Golden path complete: {len(walk.steps)} steps in {walk.elapsed:.0f} ms")
        if problem is not None:
            raise CommandError(f"Golden path broken: {problem}", returncode=1)

    def _issue(self) -> str:
        try:
            return tokens.issue("golden_path", timedelta(minutes=5), "golden path")[0]
        except DatabaseError as error:
            raise CommandError(
                f"Golden path broken: no token can be issued here ({error}). Pass one with --token, or run "
                "`manage.py migrate` if the deployment works on this installation's database.",
                returncode=1,
            ) from None

    def _print(self, name: str, milliseconds: float) -> None:
        self.stdout.write(f"  ok  {milliseconds:8.1f} ms  {name}")


class Walk:
    """One execution of the golden path.

    Attributes:
        steps: the steps that succeeded: their `name`, and `ms` since the beginning.
    """

    def __init__(self, url: str, token: str, agent: str, timeout: float) -> None:
        self.url, self._token, self._agent, self._timeout = url, token, agent, timeout
        self.steps: list[dict[str, Any]] = []
        self.on_step: Any = None
        self._began = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Milliseconds since the beginning."""
        return (time.perf_counter() - self._began) * 1000

    async def run(self) -> None:
        """Execute all steps.

        Raises:
            StepFailed: a step did not have the expected result.
        """
        run_id, thread_id = new_id(), new_id()
        seen: list[str] = []
        async with self._connected() as socket:
            self._done("connected")
            start = {"action": "start_agent", "agent_type": self._agent, "run_id": run_id, "thread_id": thread_id}
            await socket.send(json.dumps({**start, "input": "golden path"}))
            grammar = RunGrammar()
            while not grammar.over:
                text = await self._receive(socket)
                event = json.loads(text)
                if event["event_type"] == "error":
                    raise StepFailed(f"the server answered {event['code']}: {event['message']}")
                if event.get("run_id") != run_id or "seq" not in event:
                    continue
                grammar.feed(event["event_type"], event["data"])
                seen.append(text)
                if event["seq"] != len(seen):
                    raise StepFailed(f"event {len(seen)} of the thread came with seq {event['seq']}")
                if event["event_type"] in STEPS:
                    self._done(event["event_type"])
            missing = set(STEPS) - {step["name"] for step in self.steps}
            if missing:
                raise StepFailed(f"the run ended without {', '.join(sorted(missing))}: {seen[-1]}")
        async with self._connected() as socket:
            await socket.send(json.dumps({"action": "resume", "cursors": {thread_id: 0}}))
            again: list[str] = []
            while True:
                text = await self._receive(socket)
                event = json.loads(text)
                if event["event_type"] == "resumed":
                    break
                if "seq" in event:
                    again.append(text)
            if again != seen:
                raise StepFailed("the replay after reconnecting differs from what was received before")
            self._done("resumed, byte for byte the same")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with websockets.connect(self.url, additional_headers=headers, open_timeout=self._timeout) as socket:
                yield socket
        except websockets.ConnectionClosed as error:
            raise StepFailed(f"{self.url} closed the connection: {await _last_words(socket) or error}") from None
        except (OSError, websockets.WebSocketException, TimeoutError) as error:
            raise StepFailed(f"cannot connect to {self.url}: {str(error) or type(error).__name__}") from None

    async def _receive(self, socket: Any) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                return str(await socket.recv())
        except TimeoutError:
            raise StepFailed(f"no event arrived for {self._timeout:g} s; check that a worker is running") from None

    def _done(self, name: str) -> None:
        self.steps.append({"name": name, "ms": round(self.elapsed, 1)})
        if self.on_step is not None:
            self.on_step(name, self.elapsed)


async def _last_words(socket: Any) -> str:
    """Return why the server closed: an `error` frame precedes every close."""
    try:
        while True:
            frame = json.loads(await socket.recv())
            if frame["event_type"] == "error":
                return f"{frame['code']}: {frame['message']}"
    except (websockets.ConnectionClosed, ValueError, KeyError, TypeError):
        return ""
