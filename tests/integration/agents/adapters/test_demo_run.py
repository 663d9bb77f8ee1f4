"""The demo, run through the real runtime."""

from itertools import accumulate

import pytest

from integration.agents.adapters.runs import Runs, new_thread
from netra.agents.builtin.demo.course import NO_LINKS
from netra.agents.builtin.demo.sample import SAMPLE
from websocket_core.errors import InvalidAction

TEXT = (
    "The lighthouse keeper counts the ships. Every evening the keeper writes the number of ships in a book. "
    "On a foggy evening in November the keeper counted ships that were not there, and wrote their number down as well, "
    "because a book with a hole in it is worse than a book with ships that nobody saw. Nobody asked."
)


async def test_a_greeting_is_answered_with_the_sample(runs: Runs):
    run = await runs.ask("demo", "Hello!")
    assert run.types[-1] == "agent_completed"
    assert run.end["result"]["kind"] == "table"
    assert "the demo's own sample" in run.answer
    assert "not a language model" in run.answer


async def test_a_table_is_analysed_by_tools_that_overlap(runs: Runs):
    run = await runs.ask("demo", f"What is in this?\n\n{SAMPLE}")
    table = run.end["result"]["table"]
    assert table["rows"] == 12
    assert [column["name"] for column in table["columns"]] == [
        "city",
        "day",
        "visitors",
        "temperature",
        "satisfaction",
    ]
    assert run.end["result"]["outliers"]["visitors"]["rows"][0] == {"row": 9, "value": 2210}
    assert {status for _, status in run.tools()} == {"ok"}
    steps = {"tool_executing": 1, "tool_completed": -1}
    assert max(accumulate(steps.get(kind, 0) for kind in run.types)) >= 2  # how many are open at once
    assert "| visitors |" in run.answer
    assert "█" in run.answer


async def test_prose_is_analysed_as_prose(runs: Runs):
    run = await runs.ask("demo", TEXT)
    result = run.end["result"]
    assert result["kind"] == "text"
    assert result["frequent_words"][0] == {"word": "ships", "count": 4}
    assert result["counts"]["sentences"] == 4
    assert "words per sentence" in result["statistics"]


async def test_a_link_shows_a_tool_that_fails_and_the_run_goes_on(runs: Runs):
    run = await runs.ask("demo", f"{TEXT} See https://example.com/log for more.")
    (failed,) = [data for data in run.data("tool_completed") if data["status"] == "error"]
    assert failed["tool_name"] == "open_link"
    assert failed["error"] == NO_LINKS
    assert run.types[-1] == "agent_completed"
    assert NO_LINKS in run.answer


@pytest.mark.parametrize(
    ("input", "field"), [({"message": 7}, "input.message"), ([1, 2], "input"), ({"pace": "slow"}, "input.pace")]
)
async def test_what_does_not_fit_its_schema_starts_no_run(runs: Runs, input, field):
    with pytest.raises(InvalidAction) as caught:
        await runs.start("demo", input)
    assert caught.value.fields["field"] == field


async def test_it_asks_before_it_writes_and_remembers_what_it_wrote(runs: Runs):
    thread = new_thread()
    run_id = await runs.start("demo", f"{TEXT} Please approve.", thread)
    (approval,) = await runs.rests(run_id)
    assert approval.tool_name == "write_notes"
    await runs.respond(approval, approved=True)
    run = await runs.over(run_id)
    assert run.end["result"]["notes"] == "written"
    pair = [data for data in run.data("tool_completed") if data["tool_name"] == "write_notes"]
    assert [(data["status"], data["tool_call_id"]) for data in pair] == [("ok", approval.tool_call_id)]

    again = await runs.ask("demo", TEXT, thread)
    (read,) = [data for data in again.data("tool_completed") if data["tool_name"] == "read_notes"]
    assert read["result"]["text"].startswith("A text of ")
    other = await runs.ask("demo", TEXT, new_thread())
    assert "read_notes" not in dict(other.tools())


async def test_denied_it_writes_nothing(runs: Runs):
    thread = new_thread()
    run_id = await runs.start("demo", {"message": TEXT, "approve": True}, thread)
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False)
    run = await runs.over(run_id)
    assert run.end["result"]["notes"] == "denied"
    resolved = run.types.index("approval_resolved")
    assert run.types[resolved : resolved + 3] == ["approval_resolved", "tool_executing", "tool_completed"]
    assert run.tools()[-1] == ("write_notes", "denied")
    assert "read_notes" not in dict((await runs.ask("demo", TEXT, thread)).tools())


async def test_stopped_in_the_middle_it_closes_its_tools(runs: Runs):
    run_id = await runs.start("demo", {"message": TEXT, "pace": 5})
    await runs.sees(run_id, lambda run: run.types.count("tool_executing") == 3)
    await runs.stop(run_id)
    run = await runs.over(run_id)
    assert run.types[-1] == "agent_cancelled"
    assert [status for _, status in run.tools()] == ["cancelled"] * 3
