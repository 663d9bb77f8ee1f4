"""The code of docs/howto/usage-and-billing.md does what the page says."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core import mail

from integration.agents.authoring.test_docs_examples import example
from netra.agents.errors import AgentError
from netra.agents.models import Run
from netra.signals import run_finished

PAGE = "docs/howto/usage-and-billing.md"


@pytest.mark.django_db(transaction=True)
async def test_mail_webhook_and_bill(join, make, settings, monkeypatch) -> None:
    billed: dict[str, Any] = {}
    called: list[dict[str, Any]] = []

    def get_or_create(user_id: str, run_id: str, defaults: dict[str, Any]) -> None:
        billed.setdefault(run_id, defaults["amount"])

    models, billing, receivers = ModuleType("shop.models"), ModuleType("shop.billing"), ModuleType("shop.receivers")
    models.__dict__["Invoice"] = SimpleNamespace(objects=SimpleNamespace(get_or_create=get_or_create))
    for module in (ModuleType("shop"), models, billing, receivers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: called.append(json.loads(request.data)))
    exec(example(PAGE, 0), billing.__dict__)  # noqa: S102 - what readers are told to write
    settings.NETRA_COST = "shop.billing.cost"
    exec(example(PAGE, 2), receivers.__dict__)  # noqa: S102 - what readers are told to write
    names = ("tell_support", "call_webhook", "bill")
    try:

        async def body(ctx: Any, input: Any) -> str:
            ctx.report_usage({"input_tokens": 1000, "output_tokens": 500})
            if input["message"] == "fail":
                raise AgentError("No such order.")
            return "done"

        make(body)
        client = await join()
        await client.finish(await client.start("made", input="work", run_id="good"))
        await client.finish(await client.start("made", input="fail", run_id="bad"))
        async with asyncio.timeout(20):
            while await Run.objects.filter(follow_up_at__isnull=False).aexists():  # noqa: ASYNC110 - a thread does it
                await asyncio.sleep(0.01)
    finally:
        assert all(run_finished.disconnect(receivers.__dict__[name]) for name in names)
    assert billed == {"good": Decimal("0.006"), "bad": Decimal("0.006")}
    assert {(call["run"], call["status"], call["result"]) for call in called} == {
        ("good", "completed", "done"),
        ("bad", "failed", None),
    }
    [sent] = mail.outbox
    assert (sent.subject, sent.body) == ("A run of made failed", "bad: No such order.")
