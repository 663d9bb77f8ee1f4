"""What tool calls are called in events.

Models name their calls as they like: some give the same name twice in a run, some give long ones. In events a call's id
is unique in its run, at most 128 characters long, and the same in an approval and in the call it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from netra.agents.adapters.shown import clean

MAX_LENGTH = 120  # leaves room for a number behind it


class CallIds:
    """The ids of one run's calls.

    Args:
        used: ids that the run's events have had so far.
        waiting: the model's id of every call that a person has decided, with its id in events.
        told: those of the model's ids whose calls will not run, and have been told already: denied ones, answered ones.
            One that runs all the same gets an id of its own: an id names one call with one outcome.
        denied: those of the model's ids whose calls asked by themselves, were denied, and run again to hear it.

    Attributes:
        interrupted: the model's ids of the calls that stopped to ask, in this execution.
    """

    def __init__(
        self,
        used: Iterable[str] = (),
        waiting: Mapping[str, str] | None = None,
        told: Iterable[str] = (),
        denied: Iterable[str] = (),
    ) -> None:
        self.used = set(used)
        self.told = set(told)
        self._waiting = {
            model_id: call_id for model_id, call_id in (waiting or {}).items() if model_id not in self.told
        }
        self._denied = set(denied)
        self.interrupted: set[str] = set()

    def open(self, tool_call_id: str) -> str:
        """The id for a call that begins: that of its approval, if it had one."""
        return self._waiting.pop(tool_call_id, None) or self.fresh(tool_call_id)

    def was_denied(self, tool_call_id: str) -> bool:
        """Whether a call that begins was denied to itself: asked once, it is told only once."""
        if tool_call_id not in self._denied:
            return False
        self._denied.remove(tool_call_id)
        return True

    def fresh(self, tool_call_id: str) -> str:
        """An id that the run has not had yet."""
        name = clean(tool_call_id)
        if len(name) > MAX_LENGTH:
            name = sha256(name.encode()).hexdigest()
        found, number = name, 1
        while found in self.used:
            number += 1
            found = f"{name}~{number}"
        self.used.add(found)
        return found
