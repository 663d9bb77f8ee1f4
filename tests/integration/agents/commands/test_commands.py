"""`manage.py stop_runs` and `manage.py startagent`, and how far a long command is."""

import asyncio
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

import netra
from websocket_core.management import progress

SECONDS = 20
ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.django_db(transaction=True)
async def test_stop_runs__of_a_user_or_an_agent_alone(make, each_database, capsys) -> None:
    async def waits(ctx, input):
        await asyncio.Event().wait()

    for name in ("waits", "waits_too"):
        make(waits, name=name)
    ann = [await netra.astart("waits", user="ann", thread_id="t") for _ in range(3)]  # one runs, two are queued
    others = [await netra.astart("waits_too", user="ann"), await netra.astart("waits", user="bob")]

    def stop_runs(*options: str) -> str:
        call_command("stop_runs", *options)
        return str(capsys.readouterr().out)

    assert "Would stop 3 open runs" in await asyncio.to_thread(
        stop_runs, "--user", "ann", "--agent", "waits", "--dry-run"
    )
    with pytest.raises(CommandError, match="Choose the runs"):
        await asyncio.to_thread(stop_runs, "--yes")
    with pytest.raises(CommandError, match="Say --yes"):
        await asyncio.to_thread(stop_runs, "--user", "ann")
    out = await asyncio.to_thread(stop_runs, "--user", "ann", "--agent", "waits", "--reason", "Maintenance", "--yes")
    assert out == "Asked 3 to stop.\n"
    for run in ann:
        assert (await run.await_(SECONDS)).status == "cancelled"
    told = [event.data async for event in netra.aevents("t", user="ann") if event.event_type == "agent_cancelled"]
    assert told == [{"reason": "Maintenance"}] * 3
    assert [(await run.arefresh()).status for run in others] == ["running", "running"]
    assert "no such open run" in await asyncio.to_thread(stop_runs, "--agent", "made-up", "--yes")


SITE = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 60,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "websocket_core", "netra.agents", "netra", "shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    CHANNEL_LAYERS={"default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer"}},
    USE_TZ=True,
)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_startagent__writes_an_agent_whose_test_passes(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "manage.py").write_text(f"import sys\nsys.path.append({str(ROOT)!r})\n{SITE}")

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)

    assert "Wrote the agent 'greeter'" in manage("startagent", "greeter").stdout
    assert "Wrote the agent 'second'" in manage("startagent", "second", "--app", "shop").stdout
    for wrong in ("greeter", "agent", "Two words", "class"):
        refused = manage("startagent", wrong)
        assert (refused.returncode, "No agent was written" in refused.stderr) == (1, True)
        assert "Traceback" not in refused.stderr
    listed = manage("agents").stdout
    assert "greeter" in listed
    assert "second" in listed
    tested = manage("test")
    assert "Ran 2 tests" in tested.stderr
    assert tested.stderr.rstrip().endswith("OK") or "OK\n" in tested.stderr


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress__a_bar_on_a_terminal__lines_elsewhere(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("websocket_core.management.progress.time.monotonic", lambda: now[0])
    shown = {}
    for kind in (Terminal, StringIO):
        out = kind()
        bar = progress.Progress(OutputWrapper(out), "rows", 1000)
        for done in (250, 500, 750):
            bar.at(done)
            now[0] += 3.0
        bar.end()
        shown[kind] = out.getvalue()
    assert "#######" in shown[Terminal]
    assert "250 of 1,000 rows" in shown[Terminal]
    assert shown[Terminal].endswith("\r\x1b[K")
    assert shown[StringIO] == "750 of 1,000 rows\n"
