"""What the demo is asked: its input, read kindly and within bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from netra.agents.builtin.demo.sample import SAMPLE
from netra.agents.errors import AgentError
from websocket_core.conf.extras import is_installed

MAX_CHARACTERS = 200_000
_LINK = re.compile(r"https?://[^\s<>\"')]{1,300}")
_WANTS_APPROVAL = re.compile(r"\bapprov(?:e|al)\b", re.IGNORECASE)
_FEW_WORDS = 8  # a question or a greeting, not something to analyse
_EXAMPLE_LINK = "https://example.com/more"

INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "message": {
            "type": "string",
            "description": "Paste a text or a CSV table, or just say hello to see the sample. "
            "With “approve” in it you are asked before notes are written; a link in it shows a tool that fails.",
        },
        "approve": {"type": "boolean", "description": "Ask before writing the summary to the thread's notes."},
        "fail": {"type": "boolean", "description": "Show a tool that fails."},
        "pace": {
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "description": "How slowly it works: 1 as for a person who watches, 0 as fast as it can.",
        },
    },
}
# Without the package that judges, `Request.read` has to do: it is kind to everything.
CHECKED_SCHEMA = INPUT_SCHEMA if is_installed("jsonschema_rs") else None


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    Attributes:
        text: what to analyse, at most `MAX_CHARACTERS` long.
        is_sample: nothing was pasted; it is the demo's own sample.
        cut_at: the length of `text`, when there was more of it.
        approve: whether to ask before writing notes.
        link: what to try to open.
        pace: the pace that was asked for, unchecked.
    """

    text: str
    is_sample: bool
    cut_at: int | None
    approve: bool
    link: str | None
    pace: Any

    @classmethod
    def read(cls, input: Any) -> Self:
        """Read a run's input.

        Raises:
            AgentError: there is no text where one belongs.
        """
        given = input if isinstance(input, dict) else {"message": input}
        message = given.get("message", "")
        if not isinstance(message, str):
            raise AgentError('The demo reads a text or a CSV table: {"message": "…"}.')
        link = _LINK.search(message[:MAX_CHARACTERS])
        is_sample = "\n" not in message.strip() and len(message[:MAX_CHARACTERS].split()) < _FEW_WORDS
        return cls(
            text=SAMPLE if is_sample else message[:MAX_CHARACTERS],
            is_sample=is_sample,
            cut_at=MAX_CHARACTERS if len(message) > MAX_CHARACTERS else None,
            approve=given.get("approve") is True or bool(_WANTS_APPROVAL.search(message[:MAX_CHARACTERS])),
            link=link.group().rstrip(".,;:!?") if link else _EXAMPLE_LINK if given.get("fail") is True else None,
            pace=given.get("pace"),
        )
