import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asked, duration, fromNow, oneLine, pretty, tokens } from "../../../netra/static/netra/console/format.js";
import { Thread } from "../../../netra/static/netra/console/model.js";
import { address, parse } from "../../../netra/static/netra/console/router.js";

/** A thread that has seen these events: [run, type, data], one every 100 ms. */
function threadOf(...events) {
  const thread = new Thread("T");
  events.forEach(([run, type, data], index) => thread.apply(frame(index + 1, run, type, data)));
  return thread;
}

function frame(seq, run, type, data = {}) {
  const timestamp = new Date(Date.UTC(2026, 0, 31, 12, 0, 0, 100 * seq)).toISOString().replace("Z", "000Z");
  return { event_type: type, thread_id: "T", run_id: run, seq, timestamp, data };
}

const started = (run, input = {}) => [run, "agent_started", { agent_type: "test", input }];
const completed = (run) => [run, "agent_completed", { result: 1, duration_ms: 500 }];
const executing = (run, id) => [run, "tool_executing", { tool_call_id: id, tool_name: id, arguments: {} }];
const done = (run, id, status = "ok") => [
  run, "tool_completed", { tool_call_id: id, tool_name: id, status, result: 1, duration_ms: 5 },
];
const thinking = (run, delta, stream = "1") => [run, "agent_thinking", { delta, stream }];
const requested = (run, id) => [run, "approval_requested", { approval_id: id, tool_name: "x", message: "?", arguments: {} }];
const resolved = (run, id, by = "user") => [run, "approval_resolved", { approval_id: id, approved: by === "user", value: null, by }];

describe("a run", () => {
  test("is built from its events in the order in which things began", () => {
    const thread = threadOf(
      started("R", { message: "hi" }), thinking("R", "a "), thinking("R", "b"), executing("R", "t1"), executing("R", "t2"),
      done("R", "t2", "error"), done("R", "t1"), ["R", "agent_message", { message_id: "m", delta: "x" }],
      ["R", "agent_message", { message_id: "m", delta: "y" }], completed("R"),
    );
    const [run] = thread.runs;
    assert.deepEqual(run.steps.map((step) => [step.kind, step.status, step.text]), [
      ["thought", "ok", "a b"], ["tool", "ok", ""], ["tool", "error", ""], ["message", "ok", "xy"],
    ]);
    assert.equal(run.status, "completed");
    assert.equal(run.durationMs, 500);
    assert.equal(run.eventCount, 10);
    assert.equal(run.failedTools, 1);
  });

  test("a thought lasts until something else happens", () => {
    const [run] = threadOf(started("R"), thinking("R", "a"), thinking("R", "b"), executing("R", "t")).runs;
    const [thought] = run.steps;
    assert.equal(thought.endAt - thought.at, 200);
    assert.equal(thought.status, "ok");
  });

  test("parallel tools keep their own results", () => {
    const [run] = threadOf(started("R"), executing("R", "a"), executing("R", "b"), done("R", "b")).runs;
    assert.deepEqual(run.steps.map((step) => step.status), ["running", "ok"]);
  });

  test("waits while any approval is open, and not longer", () => {
    const events = [started("R"), requested("R", "a"), requested("R", "b"), resolved("R", "a"), resolved("R", "b", "expired")];
    const states = events.map((_, index) => threadOf(...events.slice(0, index + 1)).runs[0].status);
    assert.deepEqual(states, ["running", "waiting", "waiting", "waiting", "running"]);
    assert.deepEqual(threadOf(...events).runs[0].steps.map((step) => step.status), ["approved", "expired"]);
  });

  test("every event of a step leads to it", () => {
    const thread = threadOf(started("R"), executing("R", "t"), thinking("R", "a"), done("R", "t"));
    assert.equal(thread.find(2).step.name, "t");
    assert.equal(thread.find(4).step.name, "t");
    assert.equal(thread.find(3).step.kind, "thought");
    assert.equal(thread.find(1), null);
    assert.equal(thread.find(99), null);
  });

  test("an unknown event is counted and harms nothing", () => {
    const [run] = threadOf(started("R"), ["R", "agent_dreaming", {}], ["R", "constructor", {}], completed("R")).runs;
    assert.equal(run.eventCount, 4);
    assert.equal(run.status, "completed");
  });
});

describe("a thread", () => {
  test("takes each event once", () => {
    const thread = threadOf(started("R"), thinking("R", "a"));
    assert.equal(thread.apply(frame(2, "R", "agent_thinking", { delta: "a", stream: "1" })), null);
    assert.equal(thread.runs[0].steps[0].text, "a");
  });

  test("knows the active run and what a queued one waits for", () => {
    const thread = threadOf(
      started("A"), ["B", "run_queued", { position: 1 }], ["C", "run_queued", { position: 2 }],
    );
    const [a, b, c] = thread.runs;
    assert.equal(thread.active, a);
    assert.deepEqual([thread.runsBefore(b), thread.runsBefore(c)], [1, 2]);
    thread.apply(frame(4, "B", "agent_cancelled", { reason: "stopped" }));
    assert.equal(thread.runsBefore(c), 1);
    assert.equal(b.startedAt, null);
    thread.apply(frame(5, "A", ...completed("A").slice(1)));
    assert.equal(thread.active, c);
  });

  test("a run that was only sent comes last, until the server says where it belongs", () => {
    const thread = threadOf(started("A"));
    const mine = thread.send("mine", "test", { message: "hi" }, 0);
    thread.apply(frame(2, "theirs", "run_queued", { position: 1 }));
    assert.deepEqual(thread.runs.map((run) => run.id), ["A", "theirs", "mine"]);
    assert.equal(mine.status, "sending");
    thread.apply(frame(3, "mine", "run_queued", { position: 2 }));
    assert.equal(mine.status, "queued");
    thread.unsend("mine");
    assert.equal(thread.runs.length, 3, "what the server knows cannot be taken back");
  });

  test("a run that could not be sent leaves nothing behind", () => {
    const thread = new Thread("T");
    thread.send("mine", "test", {}, 0);
    thread.unsend("mine");
    assert.deepEqual([thread.runs, thread.byId.size], [[], 0]);
  });

  test("is the same live, in one go, and cut anywhere", () => {
    const events = [started("R"), thinking("R", "a"), executing("R", "t"), done("R", "t"), completed("R")];
    const picture = (thread) => JSON.stringify(thread.runs.map(({ steps, status }) => [status, steps]));
    const whole = picture(threadOf(...events));
    for (let cut = 1; cut < events.length; cut += 1) {
      const thread = threadOf(...events.slice(0, cut));
      events.forEach(([run, type, data], index) => thread.apply(frame(index + 1, run, type, data)));
      assert.equal(picture(thread), whole);
    }
  });
});

describe("addresses", () => {
  for (const route of [
    { page: "home" },
    { page: "new" },
    { page: "thread", threadId: "a.b:c_d-1", runId: null, seq: null },
    { page: "thread", threadId: "t", runId: "r", seq: null },
    { page: "thread", threadId: "t", runId: "r", seq: 12 },
  ]) {
    test(`${address(route)} leads where it says`, () => assert.deepEqual(parse(address(route)), route));
  }

  test("nonsense leads home, or to the thread it names", () => {
    assert.deepEqual(parse("#/x/y"), { page: "home" });
    assert.deepEqual(parse(""), { page: "home" });
    assert.equal(parse("#/t/a/r/b/e/x").seq, null);
    assert.equal(parse("#/t/%E0%A4%A").threadId, "%E0%A4%A");
  });
});

describe("values as people read them", () => {
  test("durations", () => {
    const shown = [0.4, 999, 1_000, 9_949, 9_950, 59_400, 65_000, 3_600_000, 7_500_000, null].map(duration);
    assert.deepEqual(shown, ["0 ms", "999 ms", "1.0 s", "9.9 s", "10 s", "59 s", "1 min 5 s", "1 h 0 min", "2 h 5 min", ""]);
  });

  test("arguments on one line, never longer than the limit", () => {
    assert.equal(oneLine({ city: "Bonn", days: 3, deep: { a: [1] } }), 'city: "Bonn", days: 3, deep: {"a":[1]}');
    assert.equal(oneLine([1, "a"]), '1, "a"');
    assert.equal(oneLine(null), "");
    assert.ok(oneLine({ long: "x".repeat(100_000) }).length <= 300);
  });

  test("characters that deceive are shown by name", () => {
    assert.equal(pretty("a\u202eb\u200bc"), '"a\\u202eb\\u200bc"');
    assert.equal(oneLine({ "\u2066x": "y" }), '\\u2066x: "y"');
  });

  test("what was asked, when it was text", () => {
    assert.deepEqual([asked({ message: "hi" }), asked("hi"), asked({}), asked({ message: "a", b: 1 })], ["hi", "hi", "", null]);
  });

  test("tokens, under whichever name", () => {
    assert.deepEqual(
      [tokens({ total_tokens: 5 }), tokens({ input_tokens: 2, output_tokens: 3 }), tokens({ cost: 1 }), tokens(null)],
      [5, 5, null, null],
    );
  });

  test("times from now", () => {
    assert.equal(fromNow(24 * 3_600_000, 0), "tomorrow");
    assert.equal(fromNow(90_000, 0), "in 2 min.");
  });
});
