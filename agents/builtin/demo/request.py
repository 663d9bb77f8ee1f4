"""Reads the input of the demo. Tolerant, and limited in size."""

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
_FEW_WORDS = 8  # fewer words are a question or a greeting, not a text to analyse
_EXAMPLE_LINK = "https://example.com/more"

INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "message": {
            "type": "string",
            "description": "Paste a text or a CSV table, or just say hello to see the sample. "
            "Include “approve” to see an approval, or a link to see a tool that fails.",
        },
        "approve": {"type": "boolean", "description": "Ask before writing the summary to the thread's notes."},
        "fail": {"type": "boolean", "description": "Show a tool that fails."},
        "pace": {
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "description": "How slowly the demo works: 1 is comfortable to watch, 0 is as fast as possible.",
        },
    },
}
# Without the package that validates schemas, only `Request.read` checks the input.
CHECKED_SCHEMA = INPUT_SCHEMA if is_installed("jsonschema_rs") else None


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a user.

    Attributes:
        text: the text to analyse, at most `MAX_CHARACTERS` long.
        is_sample: whether the text is the demo's own sample, because the user pasted none.
        cut_at: the length of `text`, if the input was longer.
        approve: whether to ask before writing notes.
        link: the link to open.
        pace: the requested pace, unchecked.
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
            AgentError: the message is not a text.
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
