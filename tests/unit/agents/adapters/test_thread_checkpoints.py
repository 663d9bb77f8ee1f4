"""The saver of a thread's checkpoints."""

from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from netra.agents.adapters.langgraph.thread_checkpoints import ThreadCheckpoints


def at(namespace: str = "", checkpoint_id: str | None = None) -> Any:
    found: dict[str, Any] = {"thread_id": "t", "checkpoint_ns": namespace}
    return {"configurable": found if checkpoint_id is None else found | {"checkpoint_id": checkpoint_id}}


def put(saver: ThreadCheckpoints, value: str, *, namespace: str = "", step: int = 0) -> Any:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"value": value}
    return saver.put(at(namespace), checkpoint, {"source": "loop", "step": step}, {})


def test_the_newest_checkpoint_is_kept_and_comes_back():
    saver = ThreadCheckpoints()
    put(saver, "old", step=1)
    config = put(saver, "new", step=2)
    saver.put_writes(config, [("channel", {"x": 1})], "task", "path")
    again = ThreadCheckpoints(saver.dump(unfinished=True))
    found = again.get_tuple(at())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"value": "new"}
    assert found.pending_writes == [("task", "channel", {"x": 1})]
    assert again.step == 2
    assert [one.config for one in again.list(at())] == [found.config]


def test_another_checkpoints_id_finds_nothing():
    saver = ThreadCheckpoints()
    put(saver, "new")
    assert saver.get_tuple(at(checkpoint_id="1f0-other")) is None


def test_writes_of_an_older_checkpoint_are_dropped():
    saver = ThreadCheckpoints()
    old = put(saver, "old")
    put(saver, "new")
    saver.put_writes(old, [("channel", 1)], "task")
    found = saver.get_tuple(at())
    assert found is not None
    assert found.pending_writes == []


def test_a_write_counts_once_but_an_interrupts_answer_can_change():
    saver = ThreadCheckpoints()
    config = put(saver, "new")
    for value in (1, 2):
        saver.put_writes(config, [("channel", value)], "task")
        saver.put_writes(config, [("__interrupt__", value)], "task")
    found = saver.get_tuple(at())
    assert found is not None
    assert sorted(found.pending_writes or []) == [("task", "__interrupt__", 2), ("task", "channel", 1)]


@pytest.mark.parametrize(("unfinished", "kept"), [(True, ["", "agent", "node:1"]), (False, ["", "agent"])])
def test_dump__subgraphs_in_the_middle_of_a_task_are_kept_only_when_it_goes_on(unfinished, kept):
    saver = ThreadCheckpoints()
    for namespace in ("", "agent", "node:1"):
        put(saver, "x", namespace=namespace)
    again = ThreadCheckpoints(saver.dump(unfinished=unfinished))
    assert [name for name in ("", "agent", "node:1") if again.get_tuple(at(name))] == kept


def test_what_cannot_be_read_begins_anew(caplog):
    assert ThreadCheckpoints(b"garbage").get_tuple(at()) is None
    assert "starts again" in caplog.text
    assert ThreadCheckpoints().dump(unfinished=True) is None
    assert ThreadCheckpoints().step == -2


def test_delete_thread__forgets_everything():
    saver = ThreadCheckpoints()
    put(saver, "x")
    saver.delete_thread("t")
    assert saver.get_tuple(at()) is None
