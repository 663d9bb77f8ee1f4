"""The pulse, with a record of every execution: whether a run was executed twice is not left to the journal to tell."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings

from netra.agents import AgentContext, agent
from netra.agents.builtin.pulse import beat

RECORD = "executions.log"


@agent("counted_pulse")
async def counted_pulse(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Note the run, whatever becomes of it, then be a pulse."""
    record = os.open(Path(settings.DATA_DIR) / RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(record, f"{ctx.run_id}\n".encode())  # one write: whole lines, however many processes write
    finally:
        os.close(record)
    return await beat(ctx, input)
