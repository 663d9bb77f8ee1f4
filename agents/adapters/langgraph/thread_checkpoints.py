"""A checkpoint saver that stores a thread's checkpoints as one memory of the thread.

The saver lives as long as a run. It is filled from the thread's memory before the run, and its contents are stored
there afterwards. Only the newest checkpoint of every (sub)graph is kept. The thread is determined by the memory, never
by a name in a config, so a config cannot reach another thread.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)

log = logging.getLogger(__name__)

Typed = tuple[str, bytes]  # as the serializer writes values


class Write(msgspec.Struct, frozen=True):
    """A write of a finished task in an unfinished step."""

    task_id: str
    index: int
    channel: str
    value: Typed
    path: str


class Saved(msgspec.Struct):
    """The newest checkpoint of one graph."""

    checkpoint_id: str
    parent_id: str | None
    checkpoint: Typed
    metadata: Typed
    writes: list[Write]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Saved])


class ThreadCheckpoints(BaseCheckpointSaver[int]):
    """The checkpoints of one thread, during one run.

    Args:
        data: the result of an earlier run's `dump`.
    """

    def __init__(self, data: bytes | None = None) -> None:
        super().__init__()
        self._saved: dict[str, Saved] = {}  # by checkpoint namespace: "" is the graph itself, others are subgraphs
        if data:
            try:
                self._saved = _decoder.decode(data)
            except msgspec.DecodeError as error:
                log.warning("a thread's checkpoints cannot be read, so the thread starts again: %s", error)

    def dump(self, *, unfinished: bool) -> bytes | None:
        """The bytes to be stored with the thread; `None` if there are none.

        Args:
            unfinished: whether the graph continues from here, including subgraphs in progress. Otherwise only subgraphs
                with their own memory are kept.
        """
        kept = {name: saved for name, saved in self._saved.items() if unfinished or ":" not in name}
        return _encoder.encode(kept) if kept else None

    @property
    def step(self) -> int:
        """The number of steps that the graph has made in this thread. Its first input is number -1."""
        saved = self._saved.get("")
        if saved is None:
            return -2
        metadata: CheckpointMetadata = self.serde.loads_typed(saved.metadata)
        return metadata.get("step", -2)

    # --- LangGraph's interface; there is nothing to wait for, so the async methods call the sync ones

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint. With a `checkpoint_id`, only if it is that one."""
        namespace = _namespace(config)
        saved = self._saved.get(namespace)
        if saved is None or get_checkpoint_id(config) not in (None, saved.checkpoint_id):
            return None
        writes = sorted(saved.writes, key=lambda write: writes_sort_key(write.path, write.task_id, write.index))
        return CheckpointTuple(
            config=_config(config, namespace, saved.checkpoint_id),
            checkpoint=self.serde.loads_typed(saved.checkpoint),
            metadata=self.serde.loads_typed(saved.metadata),
            parent_config=_config(config, namespace, saved.parent_id) if saved.parent_id else None,
            pending_writes=[(write.task_id, write.channel, self.serde.loads_typed(write.value)) for write in writes],
        )

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the interface's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Only the newest checkpoint exists."""
        found = self.get_tuple(config) if config is not None and before is None and limit != 0 else None
        if found is not None and all(found.metadata.get(key) == value for key, value in (filter or {}).items()):
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint in place of the previous one."""
        namespace = _namespace(config)
        self._saved[namespace] = Saved(
            checkpoint["id"],
            config["configurable"].get("checkpoint_id"),
            self.serde.dumps_typed(checkpoint),
            self.serde.dumps_typed(get_checkpoint_metadata(config, metadata)),
            [],
        )
        return _config(config, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task on top of the newest checkpoint."""
        saved = self._saved.get(_namespace(config))
        if saved is None or saved.checkpoint_id != config["configurable"].get("checkpoint_id"):
            return
        known = {(write.task_id, write.index): place for place, write in enumerate(saved.writes)}
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            write = Write(task_id, index, channel, self.serde.dumps_typed(value), task_path)
            place = known.get((task_id, index))
            if place is None:
                saved.writes.append(write)
            elif index < 0:  # errors, interrupts and their answers: the newest counts
                saved.writes[place] = write

    def delete_thread(self, thread_id: str) -> None:
        """Delete everything."""
        self._saved.clear()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the interface's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `list`."""
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `put_writes`."""
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        self.delete_thread(thread_id)


def _namespace(config: RunnableConfig) -> str:
    return str(config["configurable"].get("checkpoint_ns", ""))


def _config(config: RunnableConfig, namespace: str, checkpoint_id: str | None) -> RunnableConfig:
    thread_id = config["configurable"]["thread_id"]
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}}
