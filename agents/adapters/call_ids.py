"""The ids of tool calls in events.

Models choose the ids of their calls. Some use an id twice in a run, others use long ones. In events, a call's id is
unique in its run, has at most 128 characters, and is the same in an approval and in the approved call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from netra.agents.adapters.shown import clean

MAX_LENGTH = 120  # leaves room for a number after it


class CallIds:
    """The ids of one run's calls.

    Args:
        used: ids in the run's events so far.
        waiting: the model's id of every decided call, with its id in events.
        told: the model's ids of calls that will not run and were already reported: denied and answered ones. If such a
            call runs nevertheless, it gets a new id, because an id stands for one call with one outcome.
        denied: the model's ids of calls that asked from inside, were denied, and run again to receive the answer.

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
        """The id for a call that begins: that of its approval, if there was one."""
        return self._waiting.pop(tool_call_id, None) or self.fresh(tool_call_id)

    def was_denied(self, tool_call_id: str) -> bool:
        """Whether a call that begins was denied after it asked from inside. Reported only once per call."""
        if tool_call_id not in self._denied:
            return False
        self._denied.remove(tool_call_id)
        return True

    def fresh(self, tool_call_id: str) -> str:
        """An id that the run has not used yet."""
        name = clean(tool_call_id)
        if len(name) > MAX_LENGTH:
            name = sha256(name.encode()).hexdigest()
        found, number = name, 1
        while found in self.used:
            number += 1
            found = f"{name}~{number}"
        self.used.add(found)
        return found
