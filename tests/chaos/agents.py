"""The pulse agent, with a record of every execution. It shows repeated executions independently of the journal."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings

from netra.agents import AgentContext, agent
from netra.agents.builtin.pulse import beat

RECORD = "executions.log"


@agent("counted_pulse")
async def counted_pulse(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Record the run, then behave like the pulse agent."""
    record = os.open(Path(settings.DATA_DIR) / RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(record, f"{ctx.run_id}\n".encode())  # a single write keeps lines whole when several processes write
    finally:
        os.close(record)
    return await beat(ctx, input)
