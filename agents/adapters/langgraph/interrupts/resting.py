"""The questions of a resting run and what it needs to continue, stored in the database."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from netra.agents.errors import AgentError

# The form of an interrupt's answer: a value; one decision, or a list of them; one response, or a list of them.
Shape = Literal["question", "action", "actions", "human", "humans", "breakpoint"]


class Asked(msgspec.Struct, frozen=True):
    """One question to a person.

    Attributes:
        interrupt_id: the interrupt of the question. The questions of one interrupt are answered together.
        tool_name: the tool in question; empty if there is none.
        responds: the person's words are the tool's result, and the tool does not run.
        model_id: the model's id of the call in question, if it is known.
        inside: the call itself has asked. It runs again to receive the answer.
        answer_schema: JSON Schema of the value of a yes.
    """

    interrupt_id: str
    shape: Shape
    tool_call_id: str
    tool_name: str
    arguments: Any
    message: str
    responds: bool = False
    model_id: str = ""
    inside: bool = False
    answer_schema: dict[str, Any] | None = None


class Resting(msgspec.Struct, frozen=True):
    """What a resting run needs to continue. The rest is in the thread's checkpoints."""

    input: Any
    asked: list[Asked]
    calls: dict[str, str]  # the model's ids of the tool calls in question -> their ids in events
    used_ids: list[str]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Resting)


def dump(resting: Resting) -> bytes:
    """The memory of a resting run, for `load`."""
    return _encoder.encode(resting)


def load(memory: bytes) -> Resting:
    """Read the memory of a resting run.

    Raises:
        AgentError: it can no longer be read.
    """
    try:
        return _decoder.decode(memory)
    except msgspec.DecodeError as error:
        raise AgentError("This run rested before an update and cannot continue. Start it again.") from error
