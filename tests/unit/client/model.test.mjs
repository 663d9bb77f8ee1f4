import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asked, duration, oneLine, pretty, tokens } from "../../../netra/static/netra/console/format.js";
import { Extent } from "../../../netra/static/netra/console/extent.js";
import { address, parse } from "../../../netra/static/netra/console/router.js";
import { Summaries } from "../../../netra/static/netra/console/summaries.js";
import { Thread } from "../../../netra/static/netra/console/thread.js";

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
    const [run] = thread.runs;
    assert.equal(run.stepAt(2).data.tool_name, "t");
    assert.equal(run.stepAt(4), run.stepAt(2));
    assert.equal(run.stepAt(3).kind, "thought");
    assert.equal(run.stepAt(1), null);
    assert.equal(run.stepAt(99), null);
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
    const shown = [{ total_tokens: 5 }, { input_tokens: 2, output_tokens: 3 }, { cost: 1 }, {}, null, "5"].map(tokens);
    assert.deepEqual(shown, [5, 5, null, null, null, null]);
    assert.equal(tokens([{ total_tokens: 5, input_tokens: 9 }, { input_tokens: 2, output_tokens: 3 }, { model: "m" }]), 10);
    assert.equal(tokens([{ model: "m" }]), null);
  });
});

describe("the list of threads", () => {
  const summary = (id, change) => ({ thread_id: id, title: id, updated_at: "2026-01-31T10:00:00Z", last_seq: 3, ...change });
  const states = (list) => Object.fromEntries([...list.items.values()].map(({ id, status }) => [id, status]));

  test("asks for the state of what it does not know, and learns it", () => {
    const list = new Summaries();
    assert.deepEqual(list.addPage([summary("a"), summary("b")], 2, true), { a: 3, b: 3 });
    assert.deepEqual(Object.entries(new Summaries().addPage([summary("__proto__")], 2, true)), [["__proto__", 3]]);
    assert.equal(list.complete, false);
    list.setStatus("a", "R", "waiting");
    list.setStatus("nobody's", "R", "failed");
    assert.deepEqual(states(list), { a: "waiting", b: undefined });
    assert.deepEqual(list.addPage([summary("a"), summary("c", { updated_at: "2026-01-30T10:00:00Z" })], 2, false), { c: 3 });
    assert.equal(list.oldest, "2026-01-30T10:00:00Z");
    list.addPage([], 2, false);
    assert.equal(list.complete, true);
  });

  test("follows each thread's active run", () => {
    const list = new Summaries();
    const see = (seq, ...event) => {
      list.apply(frame(seq, ...event));
      return list.items.get("T").status;
    };
    const seen = [
      see(1, ...started("A", { message: "First line\nsecond" })), see(2, "B", "run_queued", { position: 1 }),
      see(3, ...requested("A", "x")), see(4, ...resolved("A", "x")), see(5, "B", "agent_cancelled", { reason: "stopped" }),
      see(6, "A", "agent_failed", { code: "timeout", message: "" }), see(7, "C", "run_queued", { position: 1 }),
      see(8, ...started("C")), see(9, ...completed("C")),
    ];
    assert.deepEqual(seen, [
      "running", "running", "waiting", "running", "running", "failed", "queued", "running", "completed",
    ]);
    assert.equal(list.title("T"), "First line");
  });

  test("is newest first, and searched by title", () => {
    const list = new Summaries();
    list.addPage([summary("Old news"), summary("New", { updated_at: "2026-02-01T10:00:00Z" })], 50, true);
    assert.deepEqual(list.find("").map(({ id }) => id), ["New", "Old news"]);
    assert.deepEqual(list.find(" NEWS ").map(({ id }) => id), ["Old news"]);
  });
});

describe("what is shown of a long list", () => {
  const shown = ({ from, to }) => [from, to];
  const extent = (count, following = true) => {
    const made = new Extent(120, 40, 100);
    made.update(count, following);
    return made;
  };

  test("all of a short one, the end of a long one", () => {
    assert.deepEqual(shown(extent(120)), [0, 120]);
    assert.deepEqual(shown(extent(2_500, false)), [2_460, 2_500]);
  });

  test("follows its end; folds only while the reader is there", () => {
    const list = extent(100);
    list.update(130, false);
    assert.deepEqual(shown(list), [0, 130]);
    list.update(140, true);
    assert.deepEqual(shown(list), [100, 140]);
  });

  test("more on request, in both directions", () => {
    const list = extent(2_500);
    assert.equal(list.earlier, 100);
    list.showEarlier();
    list.update(2_500, true);
    assert.deepEqual(shown(list), [2_360, 2_500], "what was asked for does not fold again");
    list.show(1_000);
    assert.deepEqual(shown(list), [950, 1_050]);
    list.update(2_600, true);
    assert.deepEqual(shown(list), [950, 1_050], "what comes at the end moves nobody who reads elsewhere");
    list.showLater();
    assert.deepEqual(shown(list), [950, 1_150]);
    list.showEnd();
    assert.deepEqual(shown(list), [2_560, 2_600]);
    list.update(2_601, true);
    assert.equal(list.to, 2_601);
  });

  test("never so much that the page gets slow", () => {
    const list = extent(10_000);
    for (let press = 0; press < 50; press += 1) list.showEarlier();
    assert.equal(list.to - list.from, 480);
    for (let press = 0; press < 99; press += 1) list.showLater();
    assert.deepEqual(shown(list), [9_520, 10_000]);
  });
});
