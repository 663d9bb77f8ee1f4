"""A thread's messages, shortened: the newest turn stays, and what fits of the others."""

from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from netra.agents.adapters.pydantic_ai import message_history
from netra.agents.adapters.pydantic_ai.shortened_turns import shortened, size_of

LIMIT = 20_000


def said(question: Any, *middle: ModelMessage, answer: str = "ok") -> list[ModelMessage]:
    return [ModelRequest(parts=[UserPromptPart(question)]), *middle, ModelResponse(parts=[TextPart(answer)])]


def called(*ids: str, result: Any = "seen", args: Any = None) -> list[ModelMessage]:
    """A response with calls, and their results."""
    calls = [ToolCallPart("fetch", {"url": "x"} if args is None else args, tool_call_id=one) for one in ids]
    returns = [ToolReturnPart("fetch", result, tool_call_id=one) for one in ids]
    return [ModelResponse(parts=calls), ModelRequest(parts=returns)]


def words(messages: list[ModelMessage]) -> list[str]:
    """Every prompt and answer that is text."""
    found: list[UserContent] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart | TextPart):
                found += [part.content] if isinstance(part.content, str) else list(part.content)
    return [one for one in found if isinstance(one, str)]


def strict(messages: list[ModelMessage]) -> None:
    """As providers check it: it begins with a request, and every call has its result in the next message."""
    assert isinstance(messages[0], ModelRequest)
    for place, message in enumerate(messages):
        if isinstance(message, ModelResponse):
            assert message.parts
            calls = [part.tool_call_id for part in message.parts if isinstance(part, ToolCallPart)]
            following = messages[place + 1] if place + 1 < len(messages) else None
            returns = (
                [part.tool_call_id for part in following.parts if isinstance(part, ToolReturnPart)] if following else []
            )
            assert sorted(calls) == sorted(returns)
        elif place == 0:
            assert not any(isinstance(part, ToolReturnPart) for part in message.parts)


ADA = said("my name is Ada", answer="Hello Ada.")
LARGE: dict[str, list[ModelMessage]] = {
    "one large result": said("fetch it", *called("a", result="w" * 300_000)),
    "a large structured result": said("fetch it", *called("a", result={"rows": [{"n": n} for n in range(50_000)]})),
    "many results": said("fetch it", *[one for n in range(20) for one in called(f"c{n}", result="w" * 16_000)]),
    "many parallel calls": said("fetch it", *called(*[f"c{n}" for n in range(40)], result="w" * 16_000)),
    "hundreds of small calls": said("fetch it", *[one for n in range(400) for one in called(f"c{n}")]),
    "large arguments": said("write it", *called("a", args={"content": "w" * 300_000, "name": "a.txt"})),
    "large arguments as text": said("write it", *called("a", args='{"content": "' + "w" * 300_000 + '"}')),
    "arguments that are no JSON": said("write it", *called("a", args="{" + "w" * 300_000)),
    "a picture": said(["what is it?", BinaryContent(b"\x00" * 250_000, media_type="image/png")]),
    "a thought": said(
        "think", ModelResponse(parts=[ThinkingPart("w" * 300_000, signature="s" * 90_000)]), ModelRequest(parts=[])
    ),
    "a native tool": said(
        "search",
        ModelResponse(
            parts=[
                NativeToolCallPart("web_search", {"q": "x"}, tool_call_id="n"),
                NativeToolReturnPart("web_search", "w" * 300_000, tool_call_id="n"),
                TextPart("found"),
            ]
        ),
    ),
    "a long question": said("w" * 300_000),
    "a long answer": said("tell me", answer="w" * 300_000),
    "half characters": said("fetch it", *called("a", result="\ud83d" + "w" * 300_000)),
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_newest_turn__stays_with_what_was_said_before(kind):
    data = message_history.dump([*ADA, *LARGE[kind]], LIMIT)
    assert data is not None
    assert len(data) <= LIMIT
    kept = message_history.load(data)
    strict(kept)
    found = words(kept)
    assert found[:2] == ["my name is Ada", "Hello Ada."]
    question, answer = words(LARGE[kind])[0], words(LARGE[kind])[-1]
    assert any(one.split("\n\n")[0][:50] == question[:50] for one in found)
    assert any(one[:50] == answer[:50] for one in found)


@pytest.mark.parametrize("kind", LARGE)
def test_turn_after_turn__the_first_words_are_known(kind):
    """As a thread grows: what was shortened is loaded, and shortened again with what comes next."""
    history = ADA
    for number in range(3):
        turn = [*LARGE[kind][:-1], ModelResponse(parts=[TextPart(f"answer {number}")])]
        history = message_history.load(message_history.dump([*history, *turn], LIMIT))
        strict(history)
        assert f"answer {number}" in words(history)
    assert words(history)[0] == "my name is Ada"


def test_what_is_left_out__says_so():
    (_, call, result, _) = shortened(LARGE["one large result"], LIMIT)
    assert call.parts == LARGE["one large result"][1].parts
    (returned,) = result.parts
    assert isinstance(returned, ToolReturnPart)
    assert isinstance(returned.content, str)
    assert "300,000 bytes are no longer kept" in returned.content
    assert returned.content.startswith("www")
    fewer = shortened(LARGE["hundreds of small calls"], LIMIT)
    question, note = words(fewer)[0].split("\n\n")
    gone = int(note.removeprefix("[").split()[0])
    left = sum(isinstance(part, ToolCallPart) for message in fewer for part in message.parts)
    assert question == "fetch it"
    assert "no longer kept" in note
    assert (gone > 0, gone + left) == (True, 400)
    assert fewer[-3].parts[0].tool_call_id == "c399"  # type: ignore[union-attr]  # the oldest went


def test_small_results__stay_when_a_large_one_goes():
    turn = said("go", *called("small", result="42"), *called("large", result="w" * 90_000))
    kept = shortened(turn, LIMIT)
    results = [part.content for message in kept for part in message.parts if isinstance(part, ToolReturnPart)]
    assert results[0] == "42"
    assert isinstance(results[1], str)
    assert "no longer kept" in results[1]


def test_an_older_large_turn__is_shortened_rather_than_forgotten():
    messages = [*ADA, *LARGE["one large result"], *said("and now?", answer="Fine.")]
    kept = shortened(messages, LIMIT)
    assert words(kept) == ["my name is Ada", "Hello Ada.", "fetch it", "ok", "and now?", "Fine."]


def test_a_file_that_a_tool_returned__is_no_turn_of_its_own():
    picture: list[ModelMessage] = [
        ModelResponse(parts=[ToolCallPart("camera", {}, tool_call_id="c")], run_id="r"),
        ModelRequest(
            parts=[
                ToolReturnPart("camera", "see file 1", tool_call_id="c"),
                UserPromptPart(["file 1:", BinaryContent(b"\x00" * 90_000, media_type="image/png")]),
            ],
            run_id="r",
        ),
    ]
    turn = [
        ModelRequest(parts=[UserPromptPart("look")], run_id="r"),
        *picture,
        ModelResponse(parts=[TextPart("a cat")]),
    ]
    kept = shortened([*ADA, *turn], LIMIT)
    strict(kept)
    assert words(kept)[2:] == ["look", "file 1:", "[image/png, 90,000 bytes, is no longer kept]", "a cat"]


def test_a_question_behind_results_of_a_stopped_run__begins_a_turn():
    stopped: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart("first")]),
        *called("a", result="w" * 60_000),
    ]
    merged = ModelRequest(parts=[*stopped[-1].parts, UserPromptPart("second")])  # as the framework puts it
    kept = message_history.load(message_history.dump([*ADA, *stopped[:-1], merged, *said("x")[1:]], LIMIT))
    strict(kept)
    assert words(kept) == ["my name is Ada", "Hello Ada.", "first", "second", "ok"]


def test_system_prompts__stay_and_are_there_once():
    first = ModelRequest(parts=[SystemPromptPart("Be brief."), UserPromptPart("w" * 30_000)])
    kept = shortened([first, ModelResponse(parts=[TextPart("yes")]), *said("v" * 18_000)], LIMIT)
    prompts = [part for message in kept for part in message.parts if isinstance(part, SystemPromptPart)]
    assert [part.content for part in prompts] == ["Be brief."]
    assert kept[0].parts[0] is prompts[0]
    assert size_of(kept) <= LIMIT


def test_a_bound_for_nothing__keeps_nothing():
    assert shortened(said("hello"), 50) == []


def test_it_says_so_in_the_log(caplog):
    message_history.dump(LARGE["one large result"], LIMIT)
    assert "history has" in caplog.text
    assert "NETRA_MEMORY_BYTES" in caplog.text
