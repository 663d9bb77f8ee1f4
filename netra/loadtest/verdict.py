"""Did every tab receive everything, once, in order? Compares each tab with the journal, each run with the grammar."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from netra.loadtest.load import Load, User, digest
from netra.loadtest.resuming_client import journal_of
from websocket_core.testing.oracle import ends
from websocket_core.wire import RunGrammar

READ_AT_ONCE = 8
CATCH_UP_SECONDS = 30.0
MOST_EXAMPLES = 20

Journal = dict[str, dict[int, str]]  # thread -> seq -> digest


@dataclass
class Verdict:
    """Counts; all except the first three are 0 if every guarantee held.

    Attributes:
        runs: runs by how they ended (`agent_failed` with its code).
        journalled: events in the journal.
        reconnects: how often tabs reconnected.
        lost: events that a tab should have and has not, over all tabs; and what a pulse has said and the journal has
            not.
        duplicated: events that a tab got again outside a replay; and what the journal has twice of what a pulse has
            said.
        out_of_order: events that came before another one that was due.
        altered: events whose text was another one than in the journal, or when it was sent again.
        unknown: events that a tab has and the journal has not.
        illegal: runs whose events break the grammar, frames that break the form.
        unfinished: runs without a terminal event.
        examples: the first problems, in words.
    """

    runs: Counter[str] = field(default_factory=Counter)
    journalled: int = 0
    reconnects: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    altered: int = 0
    unknown: int = 0
    illegal: int = 0
    unfinished: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every guarantee held."""
        return not any(
            (
                self.lost,
                self.duplicated,
                self.out_of_order,
                self.altered,
                self.unknown,
                self.illegal,
                self.unfinished,
            )
        )

    def note(self, example: str) -> None:
        """Keep the first problems."""
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)


async def judge(load: Load) -> Verdict:
    """Read every user's threads from the beginning, as a new client, and compare.

    Tabs get time to catch up: one that has just reconnected is still reading.

    Raises:
        TimeoutError: the journal could not be read.
    """
    verdict = Verdict()
    gate = asyncio.Semaphore(READ_AT_ONCE)

    async def one(user: User) -> None:
        async with gate:
            threads = load.plan.threads_of(user.number)
            token = load.plan.tokens[user.number]
            texts = await journal_of(load.plan.urls[0], token, threads, seconds=CATCH_UP_SECONDS * 4)
        _judge_runs(verdict, user, texts)
        if load.plan.agent.endswith("pulse"):
            _judge_pulses(verdict, texts)
        journal = {thread: {n: digest(text) for n, text in enumerate(found, 1)} for thread, found in texts.items()}
        verdict.journalled += sum(map(len, journal.values()))
        deadline = time.monotonic() + CATCH_UP_SECONDS
        for number, tab in enumerate(user.tabs):
            while _missing(tab, journal) and time.monotonic() < deadline:  # noqa: ASYNC110 - what it sees, no event
                await asyncio.sleep(0.2)
            _judge_tab(verdict, f"user {user.number}, tab {number}", tab, journal)

    await asyncio.gather(*(one(user) for user in load.users))
    return verdict


def _missing(tab: Any, journal: Journal) -> int:
    seen = tab.client.oracle.threads
    return sum(len(found.keys() - (seen[thread].texts if thread in seen else {})) for thread, found in journal.items())


def _judge_tab(verdict: Verdict, name: str, tab: Any, journal: Journal) -> None:
    client = tab.client
    verdict.reconnects += max(0, client.connects - 1)
    verdict.duplicated += client.violations["repeat"]
    verdict.out_of_order += client.violations["gap"]
    verdict.altered += client.violations["differs"]
    verdict.illegal += client.violations["grammar"] + client.violations["form"]
    for example in client.examples:
        verdict.note(f"{name}: {example}")
    if client.refused:
        verdict.note(f"{name} was refused: {client.refused}")
    for thread, found in journal.items():
        view = client.oracle.threads.get(thread)
        seen = {} if view is None else view.texts
        lost = sorted(found.keys() - seen.keys())
        verdict.lost += len(lost)
        if lost:
            verdict.note(f"{name}: thread {thread} has {len(found)} events; not seen: {lost[:10]}")
        unknown = seen.keys() - found.keys()
        verdict.unknown += len(unknown)
        if unknown:
            verdict.note(f"{name}: thread {thread}: seen, but not in the journal: {sorted(unknown)[:10]}")
        altered = [seq for seq, text in seen.items() if found.get(seq, text) != text]
        verdict.altered += len(altered)
        if altered:
            verdict.note(f"{name}: thread {thread}: another text than in the journal: {altered[:10]}")


def _judge_pulses(verdict: Verdict, texts: dict[str, list[str]]) -> None:
    """Check the numbers of the pulse agent, which counts upwards: they reveal events written twice, or not at all."""
    for thread, found in texts.items():
        due: Counter[str] = Counter()  # by run
        for seq, text in enumerate(found, 1):
            event = msgspec.json.decode(text)
            if event["event_type"] != "agent_state":
                continue
            number, run = event["data"]["state"]["number"], event["run_id"]
            if number < due[run]:
                verdict.duplicated += 1
                verdict.note(f"thread {thread}, seq {seq}: number {number} of run {run} was written before")
            elif number > due[run]:
                verdict.lost += number - due[run]
                verdict.note(f"thread {thread}, seq {seq}: number {due[run]} of run {run} was never written")
            due[run] = max(due[run], number + 1)


def _judge_runs(verdict: Verdict, user: User, texts: dict[str, list[str]]) -> None:
    grammars: dict[str, RunGrammar] = {run: RunGrammar() for _, run in user.started}
    endings: dict[str, str] = {}
    for thread, found in texts.items():
        for seq, text in enumerate(found, 1):
            event = msgspec.json.decode(text)
            if event["seq"] != seq:
                verdict.illegal += 1
                verdict.note(f"thread {thread}: event {seq} of the journal has seq {event['seq']}")
            try:
                grammars.setdefault(event["run_id"], RunGrammar()).feed(event["event_type"], event["data"])
            except ValueError as error:
                verdict.illegal += 1
                verdict.note(f"thread {thread}, seq {seq}: {error}")
            if ends(event):
                code = event["data"].get("code")
                endings[event["run_id"]] = event["event_type"] + (f" {code}" if code else "")
    for run, grammar in grammars.items():
        if grammar.over:
            verdict.runs[endings[run]] += 1
        else:
            verdict.unfinished += 1
            verdict.note(f"user {user.number}: run {run} has not ended")
