"""Remembers which texts a run has sent, so that none is sent twice.

A node streams a model's answer and then returns it in a separate message; a supervisor wraps an inner agent's answer;
middleware copies a message. LangGraph distinguishes them only by their ids, but people see the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Path = tuple[str, ...]  # path of a subgraph in the stream; empty for the graph itself


class Said:
    """One text of the run.

    Attributes:
        place: where it was said: the path of the graph and its task, `("researcher:id", "model:id")`.
        pieces: the text.
        silent: it was not sent, because its node does not speak.
    """

    __slots__ = ("depth", "pieces", "place", "silent")

    def __init__(self, place: Path, *, silent: bool = False) -> None:
        self.place, self.silent = place, silent
        self.pieces: list[str] = []
        self.depth = len(place) - 1  # the deepest graph in which this text is not new; decreases when a step is over


UNHEARD = Said((), silent=True)  # text that is not sent, or not here


class Spoken:
    """The texts that one run has sent.

    Args:
        speakers: names of the nodes that speak; `None` means all.
    """

    def __init__(self, speakers: Sequence[str] | None) -> None:
        self._speakers = None if speakers is None else frozenset(speakers)
        self._by_id: dict[Any, Said] = {}  # texts being sent, and those of unfinished steps
        self._ids: set[Any] = set()  # ids of all messages that were sent or existed before
        self._last: dict[Path, Said] = {}  # graph → the latest text of a model

    def of(self, message_id: Any) -> Said | None:
        """The text with this id, if it has begun."""
        return self._by_id.get(message_id)

    def begin(self, message_id: Any, metadata: Mapping[str, Any]) -> Said:
        """Begin a text of a model."""
        place = tuple(str(metadata.get("langgraph_checkpoint_ns", "")).split("|"))
        said = Said(place, silent=not self._speaks(place))
        self._by_id[message_id] = self._last[place[:-1]] = said
        self._ids.add(message_id)
        return said

    def is_news(self, path: Path, node: str, message_id: Any, text: str) -> bool:
        """Whether a complete message of a node has not been sent yet. From now on it counts as sent.

        Args:
            path: the graph of the node.
        """
        if message_id is not None:
            if message_id in self._ids:
                return False
            self._ids.add(message_id)
        if not text.strip() or not self._speaks((*path, node)):
            return False
        last = self._last.get(path)
        if last is not None and not last.silent and _is_told(text, [last]):
            return False
        inner, depth = f"{node}:", len(path)
        inside = [
            said
            for said in self._by_id.values()
            if said.depth >= depth
            and said.place[:depth] == path
            and said.place[depth].startswith(inner)
            and not said.silent
        ]
        if _is_told(text, inside):
            return False
        self._last.pop(path, None)
        told = self._by_id[message_id or object()] = Said((*path, inner))
        told.pieces.append(text)
        told.depth = depth - 1  # a later message of this graph may have the same text
        return True

    def knows(self, message_id: Any) -> bool:
        """Whether a message was sent, or existed before."""
        return message_id in self._ids

    def know(self, message_ids: Sequence[Any]) -> None:
        """Record messages in the state: they were sent before, or are handled separately."""
        self._ids.update(message_ids)

    def step_is_over(self, path: Path) -> None:
        """End a step of a graph. Its texts may be repeated in that graph, but not in the graphs around it."""
        depth = len(path)
        for message_id, said in list(self._by_id.items()):
            if said.depth >= depth and said.place[:depth] == path:
                said.depth = depth - 1
            if said.depth < 0:
                del self._by_id[message_id]

    def _speaks(self, place: Path) -> bool:
        return self._speakers is None or any(part.split(":")[0] in self._speakers for part in place)


def _is_told(text: str, said: list[Said]) -> bool:
    """Whether a text equals a sent one, or several in a row. White space is ignored."""
    wanted = "".join(text.split())
    parts = ["".join("".join(one.pieces).split()) for one in said]
    for place in range(len(parts)):
        joined = ""
        for part in parts[place:]:
            joined += part
            if joined == wanted:
                return True
            if not wanted.startswith(joined):
                break
    return False
