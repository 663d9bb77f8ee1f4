"""What a thread remembers for a Pydantic AI agent."""

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from netra.agents.adapters.pydantic_ai import message_history


def turn(number: int, size: int = 100) -> list[ModelMessage]:
    """A question, a tool, an answer."""
    return [
        ModelRequest(parts=[UserPromptPart(f"{number} " + "x" * size)]),
        ModelResponse(parts=[ToolCallPart("look", {}, tool_call_id=f"c{number}")]),
        ModelRequest(parts=[ToolReturnPart("look", "seen", tool_call_id=f"c{number}")]),
        ModelResponse(parts=[TextPart(f"answer {number}")]),
    ]


def questions(messages: list[ModelMessage]) -> list[str]:
    parts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    return [str(part.content).split()[0] for part in parts]


def test_dump_and_load__are_the_same():
    messages = turn(1)
    assert message_history.load(message_history.dump(messages, 100_000)) == messages


def test_dump__leaves_whole_turns_out_the_oldest_first():
    messages = [message for number in range(10) for message in turn(number)]
    data = message_history.dump(messages, 6000)
    assert data is not None
    assert len(data) <= 6000
    kept = message_history.load(data)
    assert questions(kept) == [str(number) for number in range(10 - len(questions(kept)), 10)]
    assert 0 < len(questions(kept)) < 10
    assert isinstance(kept[0], ModelRequest)


def test_dump__keeps_the_system_prompt_of_a_turn_it_leaves_out():
    first = ModelRequest(parts=[SystemPromptPart("Be brief."), UserPromptPart("first " + "x" * 5000)])
    data = message_history.dump([first, ModelResponse(parts=[TextPart("yes")]), *turn(2)], 4000)
    kept = message_history.load(data)
    assert questions(kept) == ["2"]
    assert isinstance(kept[0].parts[0], SystemPromptPart)
    assert sum(isinstance(part, SystemPromptPart) for message in kept for part in message.parts) == 1


def test_dump__one_turn_that_is_too_large_keeps_its_question_and_its_answer():
    kept = message_history.load(message_history.dump(turn(1, size=50_000), 4000))
    assert questions(kept) == ["1"]
    assert "left out" in str(kept[0].parts[0].content)  # type: ignore[union-attr]
    assert kept[-1].parts[0].content == "answer 1"  # type: ignore[union-attr]


def test_dump__what_has_no_json_form_does_not_cost_the_history():
    parts = [ToolReturnPart("look", {"seen": object()}, tool_call_id="c1", metadata=object())]
    kept = message_history.load(message_history.dump([*turn(1)[:2], ModelRequest(parts=parts), *turn(1)[3:]], 4000))
    assert questions(kept) == ["1"]
    assert kept[2].parts[0].content == {"seen": "<object>"}  # type: ignore[union-attr]


def test_dump__halves_of_characters_do_not_cost_the_history():
    data = message_history.dump([ModelResponse(parts=[TextPart("a\ud83d\ude00b")])], 4000)
    (message,) = message_history.load(data)
    assert message.parts[0].content == "a😀b"  # type: ignore[union-attr]


def test_load__closes_calls_that_were_left_without_a_result():
    data = message_history.dump(turn(1)[:2], 4000)
    parts = [part for message in message_history.load(data) for part in message.parts]
    assert [part.tool_call_id for part in parts if isinstance(part, ToolReturnPart)] == ["c1"]


def test_load__what_cannot_be_read_begins_anew(caplog):
    assert message_history.load(b'[{"kind": "unknown"}]') == []
    assert "it starts again" in caplog.text
    assert message_history.load(None) == []


def test_without_refused__drops_the_request_that_was_refused():
    messages = turn(1)
    refused = ModelRequest(parts=[UserPromptPart("bad")])
    assert message_history.without_refused([*messages, refused, ModelResponse(parts=[])]) == messages
    assert message_history.without_refused([*messages, refused]) == messages


def test_without_refused__what_was_done_before_stays_and_the_question_can_go():
    stopped = ModelRequest(parts=[ToolReturnPart("look", "seen", tool_call_id="c1")], run_id="before")
    refused: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart("bad")], run_id="r"),
        ModelResponse(parts=[ToolCallPart("look", {}, tool_call_id="c2")], run_id="r"),
        ModelRequest(parts=[ToolReturnPart("look", "worse", tool_call_id="c2")], run_id="r"),
        ModelResponse(parts=[TextPart("")], finish_reason="content_filter", run_id="r"),
    ]
    first = turn(1)[:2]
    assert message_history.without_refused([*first, stopped, refused[0]]) == [*first, stopped]
    kept = message_history.without_refused([*turn(1), *refused], question=True)
    assert questions(kept) == ["1", "[A"]
    assert kept[-1] == refused[1]
