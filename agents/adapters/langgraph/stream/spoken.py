"""Which texts a run has told already, so that none is told twice.

A node streams a model's answer, and then returns it in a message of its own; a supervisor wraps what an inner agent has
said; middleware writes a message anew. LangGraph knows them apart by their ids only, people by their texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Path = tuple[str, ...]  # of a subgraph, as it is streamed; of the graph itself: empty


class Said:
    """One text that was told.

    Attributes:
        place: where it was said: the path of the graph and its task, `("researcher:id", "model:id")`.
        pieces: the text.
        silent: it was not told: its node does not speak.
    """

    __slots__ = ("depth", "pieces", "place", "silent")

    def __init__(self, place: Path, *, silent: bool = False) -> None:
        self.place, self.silent = place, silent
        self.pieces: list[str] = []
        self.depth = len(place) - 1  # the deepest graph in which the same text is no news; lower when a step is over


UNHEARD = Said((), silent=True)  # what is not told, or not here


class Spoken:
    """What one run has said.

    Args:
        speakers: names of the nodes that speak; `None`: all do.
    """

    def __init__(self, speakers: Sequence[str] | None) -> None:
        self._speakers = None if speakers is None else frozenset(speakers)
        self._by_id: dict[Any, Said] = {}  # texts that are being told, and those of the steps that are not over
        self._ids: set[Any] = set()  # of all messages that were told, or were there before
        self._last: dict[Path, Said] = {}  # by graph: what a model said last

    def of(self, message_id: Any) -> Said | None:
        """The text with this id, if it has begun."""
        return self._by_id.get(message_id)

    def begin(self, message_id: Any, metadata: Mapping[str, Any]) -> Said:
        """A model begins to speak."""
        place = tuple(str(metadata.get("langgraph_checkpoint_ns", "")).split("|"))
        said = Said(place, silent=not self._speaks(place))
        self._by_id[message_id] = self._last[place[:-1]] = said
        self._ids.add(message_id)
        return said

    def is_news(self, path: Path, node: str, message_id: Any, text: str) -> bool:
        """Whether a whole message that a node returned has not been told yet. It counts as told from now on.

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
        told.depth = depth - 1  # a later message of this graph may say the same
        return True

    def knows(self, message_id: Any) -> bool:
        """Whether a message was told, or was there before."""
        return message_id in self._ids

    def know(self, message_ids: Sequence[Any]) -> None:
        """Messages that are in the state: they were said before, or are told as what they are."""
        self._ids.update(message_ids)

    def step_is_over(self, path: Path) -> None:
        """A step of a graph is over: what was said in it may be said again, there; the graphs around it are in it."""
        depth = len(path)
        for message_id, said in list(self._by_id.items()):
            if said.depth >= depth and said.place[:depth] == path:
                said.depth = depth - 1
            if said.depth < 0:
                del self._by_id[message_id]

    def _speaks(self, place: Path) -> bool:
        return self._speakers is None or any(part.split(":")[0] in self._speakers for part in place)


def _is_told(text: str, said: list[Said]) -> bool:
    """Whether a text is one that was said, or several in a row; white space between and around them does not count."""
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
