"""What a run has asked and what it needs to go on, kept in the database while it rests."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from netra.agents.errors import AgentError

# How an interrupt wants to be answered: by a value; by one decision, or a list of them; by one response, or a list.
Shape = Literal["question", "action", "actions", "human", "humans", "breakpoint"]


class Asked(msgspec.Struct, frozen=True):
    """One question to a person.

    Attributes:
        interrupt_id: the interrupt it belongs to; the requests of one interrupt are answered together.
        tool_name: the tool it is about; empty when it is about none.
        responds: the person's words are the tool's result; it does not run.
        model_id: the model's id of the call it is about, if it is known.
        inside: the call itself has asked: it runs again, to hear the answer.
        answer_schema: JSON Schema of what may come with a yes.
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
    """What a resting run needs to go on; the rest is in the thread's checkpoints."""

    input: Any
    asked: list[Asked]
    calls: dict[str, str]  # the model's ids of the tool calls that were asked about -> their ids in events
    used_ids: list[str]
    usage: dict[str, int]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Resting)


def dump(resting: Resting) -> bytes:
    """The memory of a resting run; `load` reads it."""
    return _encoder.encode(resting)


def load(memory: bytes) -> Resting:
    """What a resting run left.

    Raises:
        AgentError: it cannot be read any more.
    """
    try:
        return _decoder.decode(memory)
    except msgspec.DecodeError as error:
        raise AgentError("This run rested before an update and cannot go on. Start it again.") from error
