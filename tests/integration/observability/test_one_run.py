"""Runs from the frame that starts them to their last event, over a real server and a real worker: every log line,
number and span is there, hangs together, and says nothing of people.
"""

import json
import re
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import websockets

from integration.observability.collector import Collector, KeptSpan
from servers.fixtures import TEST_KEY
from servers.netra import Installation
from servers.postgres import PostgresServer
from servers.process import free_port, wait_for
from websocket_core.process.log_context import user_mark

USER = "auth0|observed-user"
SAID = "something very private"
RUNS = ("run-slow", "run-queued", "run-failing")
UNSAYABLE = (USER, "observed-user", SAID, "the agent's secret")

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Observed:
    """What three runs have left behind."""

    collector: Collector
    logs: dict[str, list[dict[str, Any]]]
    numbers: dict[str, str]
    token: str

    def lines(self, program: str, run_id: str) -> list[dict[str, Any]]:
        return [line for line in self.logs[program] if line.get("run") == run_id]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(
    postgres: PostgresServer, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Observed]:
    folder = tmp_path_factory.mktemp("observed") / "installation"
    folder.mkdir()
    with Collector() as collector:
        env = {
            "SECRET_KEY": TEST_KEY,
            "DATABASE_URL": postgres.url(postgres.database()),
            "REDIS_URL": redis_url,
            "NETRA_REDIS_PREFIX": "observed",
            "NETRA_EXECUTOR": "procrastinate",
            "NETRA_AGENT_MODULES": "tests.integration.observability.observed_agents",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "LOG_LEVEL": "DEBUG",
        }
        installation = Installation(folder, env)
        installation.manage("migrate", "--no-input", "-v", "0")
        token, port = installation.token(USER), free_port()
        server, worker = installation.server(), installation.worker("--metrics-port", str(port))
        try:
            worker.start()
            server.start()
            await run_everything(server.ws_url, token)
            texts = {"server": scrape(f"{server.url}/metrics"), "worker": scrape(f"http://127.0.0.1:{port}/metrics")}
            wait_for(lambda: worker.output().count('"run ended"') == len(RUNS), 20, "the last line of every run")
        finally:
            codes = [program.terminate() if program.is_running else None for program in (server, worker)]
        assert codes == [0, 0]
        logs = {
            name: [json.loads(line) for line in program.output().splitlines()]
            for name, program in (("server", server), ("worker", worker))
        }
        yield Observed(collector, logs, texts, token)


async def run_everything(url: str, token: str) -> None:
    """Start a run, one that has to wait behind it, one that fails and one that cannot be; wait for the last one."""
    async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        common = {"action": "start_agent", "input": SAID}
        one = {"agent_type": "slow", "run_id": "run-slow", "thread_id": "thread-a", "request_id": "request-1"}
        two = {"agent_type": "test", "run_id": "run-queued", "thread_id": "thread-a"}
        bad = {"agent_type": "failing", "run_id": "run-failing", "thread_id": "thread-b", "request_id": "request-3"}
        none = {"agent_type": "nobody", "run_id": "run-refused", "request_id": "request-4"}
        for frame in (one, two, bad, none):
            await socket.send(json.dumps(common | frame))
        left = set(RUNS)
        while left:
            event = json.loads(await socket.recv())
            if event["event_type"] in ("agent_completed", "agent_failed"):
                left.remove(event["run_id"])


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        return str(response.read().decode())


# --- traces


async def test_trace__hangs_together_over_both_processes(observed: Observed) -> None:
    spans = observed.collector.of_run("run-slow")
    assert set(spans) == {"start_agent", "record run", "run", "their own work", "last event"}
    started, recorded, run, theirs, last = (
        spans[name] for name in ("start_agent", "record run", "run", "their own work", "last event")
    )
    assert [span.parent_id for span in (started, recorded, run, theirs, last)] == [
        *("", started.span_id, recorded.span_id, run.span_id, run.span_id)
    ]
    assert [span.service for span in (started, recorded, run, theirs, last)] == [
        *("netra-server", "netra-server", "netra-worker", "netra-worker", "netra-worker")
    ]
    assert (
        started.start <= recorded.start <= run.start <= theirs.start <= theirs.end <= last.start <= last.end <= run.end
    )
    assert not any(span.failed for span in spans.values())
    about = {"netra.agent": "slow", "netra.thread_id": "thread-a", "netra.run_id": "run-slow"}
    for span in (started, run):
        assert about.items() <= span.attributes.items()
        assert span.attributes["netra.user"] == user_mark(USER)
        assert span.attributes["netra.request_id"] == "request-1"
    assert started.attributes["netra.outcome"] == "started"
    assert run.attributes["netra.outcome"] == "completed"
    assert last.attributes == {"netra.event_type": "agent_completed"}


async def test_trace__of_a_run_that_waited_is_its_own(observed: Observed) -> None:
    first, second = (observed.collector.of_run(run) for run in ("run-slow", "run-queued"))
    assert first["run"].trace_id != second["run"].trace_id
    assert second["run"].parent_id == second["record run"].span_id
    assert set(second) == {"start_agent", "record run", "run", "last event"}  # not one for each of its five frames
    waited = second["run"].attributes["netra.waited_seconds"]
    assert 0.5 < waited < (second["run"].end - second["record run"].start) / 1e9


async def test_trace__of_a_failed_run_says_so_without_its_words(observed: Observed) -> None:
    run = observed.collector.of_run("run-failing")["run"]
    assert run.failed
    assert run.attributes["netra.outcome"] == "agent_error"
    assert run.events == 0  # an exception would be one, with its text


async def test_trace__of_a_start_that_was_refused(observed: Observed) -> None:
    (span,) = [span for span in observed.collector.spans if span.attributes.get("netra.request_id") == "request-4"]
    assert (span.name, span.failed, span.attributes["netra.outcome"]) == ("start_agent", True, "unknown_agent")
    assert "netra.agent" not in span.attributes  # a name that only the client knows


async def test_traces__are_of_runs_alone(observed: Observed) -> None:
    assert len(observed.collector.spans) == 5 + 4 + 4 + 1
    assert {span.name for span in observed.collector.spans} == {
        *("start_agent", "record run", "run", "last event", "their own work")
    }


# --- logs


async def test_logs__carry_a_run_s_ids_from_end_to_end(observed: Observed) -> None:
    ids = {"user": user_mark(USER), "thread": "thread-a", "run": "run-slow", "request": "request-1"}
    (recorded,) = [line for line in observed.lines("server", "run-slow") if line["event"] == "run recorded"]
    trace_id = observed.collector.of_run("run-slow")["run"].trace_id
    assert (ids | {"trace": trace_id}).items() <= recorded.items()
    begun, told, ended = observed.lines("worker", "run-slow")
    assert [begun["event"], told["event"], ended["event"]] == ["run begins", "at work", "run ended"]
    for line in (begun, told, ended):
        assert (ids | {"trace": trace_id}).items() <= line.items()
    assert (ended["status"], ended["code"]) == ("completed", "")
    start_agent: KeptSpan = observed.collector.of_run("run-slow")["start_agent"]
    assert recorded["connection"] == start_agent.attributes["netra.connection_id"]


async def test_logs__of_the_next_run_have_nothing_of_the_run_before(observed: Observed) -> None:
    lines = observed.lines("worker", "run-queued")
    assert [line["event"] for line in lines] == ["run begins", "run ended"]
    assert not any("request" in line or "connection" in line for line in lines)
    assert {line["trace"] for line in lines} == {observed.collector.of_run("run-queued")["run"].trace_id}


# --- numbers


async def test_numbers__of_server_and_worker(observed: Observed) -> None:
    server, worker = observed.numbers["server"], observed.numbers["worker"]
    assert value(server, "netra_run_starts_total", outcome="started") == 3
    assert value(server, "netra_run_starts_total", outcome="unknown_agent") == 1
    assert value(worker, "netra_runs_ended_total", agent="slow", code="", status="completed") == 1
    assert value(worker, "netra_runs_ended_total", agent="failing", code="agent_error", status="failed") == 1
    assert value(worker, "netra_run_seconds_count", agent="slow") == 1
    assert value(worker, "netra_run_wait_seconds_count") == 3
    assert value(worker, "netra_events_appended_total") > 5
    for text in (server, worker):
        assert value(text, "netra_runs_open", state="running") == 0
        assert value(text, "netra_oldest_queued_run_seconds") == 0


def value(text: str, name: str, **labels: str) -> float:
    words = ",".join(f'{label}="{said}"' for label, said in sorted(labels.items()))
    head = f"{name}{{{words}}}" if labels else name
    (found,) = re.findall(rf"^{re.escape(head)} (\S+)$", text, re.MULTILINE)
    return float(found)


# --- and nothing else


async def test_nothing__says_who_it_is_or_what_was_said(observed: Observed) -> None:
    told = {
        "spans": observed.collector.raw.decode("latin-1"),
        **{f"log of the {name}": json.dumps(lines) for name, lines in observed.logs.items()},
        **{f"numbers of the {name}": text for name, text in observed.numbers.items()},
    }
    assert all(len(text) > 500 for text in told.values())
    for where, text in told.items():
        for words in (*UNSAYABLE, observed.token):
            if where == "log of the worker" and words == "the agent's secret":
                continue  # an incident's traceback is for the log, and for nothing else
            assert words not in text, where
