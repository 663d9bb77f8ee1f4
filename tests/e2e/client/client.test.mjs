// The client as a program uses it, against a real server. What no server does on purpose is tests/unit/client.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { afterEach, describe, test } from "node:test";
import { promisify } from "node:util";

import { NetraClient, newId } from "../../../netra/static/netra/netra-client.js";
import { Path } from "./path.mjs";

const URL_ = process.env.NETRA_TEST_URL;
const TOKENS = JSON.parse(process.env.NETRA_TEST_TOKENS); // of a user each
const [PROGRAM, ...MANAGE] = JSON.parse(process.env.NETRA_TEST_MANAGE); // `manage.py` of the server's installation
const PATIENCE_MS = 60_000;

const open = [];
const paths = [];
let given = 0;

const freshToken = () => TOKENS[given++];

async function manage(...args) {
  const { stdout } = await promisify(execFile)(PROGRAM, [...MANAGE, ...args]);
  return stdout.trim();
}

function make(options) {
  const client = new NetraClient({ url: URL_, backoffMs: 50, maxBackoffMs: 200, ...options });
  client.seen = [];
  client.errors = [];
  client.statuses = [];
  client.on("event", (event) => client.seen.push(event));
  client.on("error", (error) => client.errors.push(error));
  client.on("status", (status) => client.statuses.push(status));
  open.push(client);
  return client;
}

async function pathTo(url = URL_) {
  const path = await Path.to(url);
  paths.push(path);
  return path;
}

async function until(what, condition, ms = PATIENCE_MS) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) assert.fail(`in ${ms} ms it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isOpen = (client) => until("open", () => client.status.state === "open");

async function connected(options) {
  const client = make(options);
  client.connect();
  await isOpen(client);
  return client;
}

async function outcome(promise) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, { never: true }).unref());
  return Promise.race([promise.then((value) => ({ value }), (error) => ({ error })), late]);
}

/** A run of `count` events and its end, made by somebody else; returns the thread's number of events. */
async function fill(token, threadId, count = 3) {
  const writer = await connected({ token });
  await writer.start("talking", { count }, { threadId });
  const last = await until("the run's end", () => writer.seen.find((event) => /completed|failed/.test(event.event_type)));
  assert.equal(last.event_type, "agent_completed");
  writer.close();
  return last.seq;
}

afterEach(() => {
  for (const client of open.splice(0)) client.close();
  for (const path of paths.splice(0)) path.close();
  delete globalThis.addEventListener;
});

describe("an attempt to connect", () => {
  test("that nobody answers is given up, with its cause, and made again", async () => {
    const path = await pathTo();
    path.mode = "swallow";
    const client = make({ url: path.url, token: freshToken(), connectMs: 1_500 });
    client.connect();
    await until("given up", () => client.statuses.find(({ code, message }) => code === "timeout" && /server/.test(message)));
    path.mode = "pass";
    await isOpen(client);
  });

  for (const [how, wake] of [
    ["wake()", (client) => client.wake()],
    ["connect()", (client) => client.connect()],
    ["the event `online`", () => globalThis.page.dispatchEvent(new Event("online"))],
  ]) {
    test(`that hangs is made anew by ${how}`, async () => {
      globalThis.page = new EventTarget();
      globalThis.addEventListener = (...all) => globalThis.page.addEventListener(...all);
      const path = await pathTo();
      path.mode = "swallow";
      const client = make({ url: path.url, token: freshToken(), connectMs: 1e9 });
      client.connect();
      await until("one connection", () => path.connections === 1);
      path.mode = "pass";
      wake(client);
      await isOpen(client);
    });
  }

  for (const hook of ["beforeConnect", "token", "ticket"]) {
    test(`whose \`${hook}\` never ends is given up, told so, and made again`, async () => {
      const token = freshToken();
      const signals = [];
      const client = make({
        token: hook === "ticket" ? undefined : token,
        connectMs: 1_500,
        [hook]: ({ signal }) => {
          signals.push(signal);
          if (signals.length === 1) return new Promise(() => {});
          return hook === "token" ? token : "none";
        },
      });
      client.connect();
      const given = await until("given up", () => client.statuses.find(({ code }) => code === "timeout"));
      assert.match(given.message, new RegExp(hook));
      assert.ok(signals[0].aborted);
      await until("a second attempt", () => signals.length > 1);
      if (hook !== "ticket") await isOpen(client);
    });
  }

  test("that hangs in a hook is made anew by wake()", async () => {
    let asked = 0;
    const client = make({ token: freshToken(), connectMs: 1e9, beforeConnect: () => (asked += 1) === 1 && new Promise(() => {}) });
    client.connect();
    await until("the hook is asked", () => asked === 1);
    client.wake();
    await isOpen(client);
  });

  test("is not hastened past the time that the server asked for", async () => {
    const token = freshToken();
    const path = await pathTo();
    const crowd = await Promise.all(Array.from({ length: 20 }, () => connected({ token })));
    const client = make({ url: path.url, token, laterMs: 0 });
    client.connect();
    const { retryAt } = await until("refused", () => client.statuses.find(({ code, state }) => state === "waiting" && code === "too_many_connections"));
    const attempts = path.connections;
    while (Date.now() < retryAt - 500) {
      client.wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(path.connections, attempts);
    crowd[0].close();
    await isOpen(client);
  });

  test("is made by wake() at once, but not more often than `wakeMs`", async () => {
    const path = await pathTo();
    const client = await connected({ url: path.url, token: freshToken(), backoffMs: 1e8, maxBackoffMs: 1e8, wakeMs: 700 });
    path.mode = "swallow";
    path.cut();
    await until("waiting", () => client.status.state === "waiting");
    const began = performance.now();
    while (performance.now() - began < 2_000) {
      client.wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const made = path.connections - 1;
    assert.ok(made >= 2 && made <= 2 + (performance.now() - began) / 700, `${made} attempts`);
  });
});

describe("credentials", () => {
  for (const [what, spoil] of [
    ["a slash", (token) => `${token}/x`],
    ["an equals sign", (token) => `${token}==`],
    ["a line break inside", (token) => `${token}\nx`],
    ["a letter outside ASCII", (token) => `${token}é`],
  ]) {
    test(`a token with ${what} stops with a cause that does not show it`, async () => {
      const token = freshToken();
      const client = make({ token: spoil(token) });
      client.connect();
      await until("stopped", () => client.status.state === "stopped");
      assert.equal(client.status.code, "invalid_token");
      assert.ok(!JSON.stringify(client.statuses).includes(token));
      const { error } = await outcome(client.sync());
      assert.equal(error.code, "invalid_token");
      assert.ok(!error.message.includes(token));
    });
  }

  test("a token read from a file, with the line's end, is taken without it", async () => {
    const token = `${freshToken()}\r\n`;
    const client = await connected({ token });
    await client.authenticate(token);
  });

  test("an address that is none stops, as does a missing WebSocket, with a cause", async () => {
    for (const [code, options] of [["invalid_url", { url: "http//nowhere" }], ["unsupported", { WebSocket: undefined }]]) {
      const token = freshToken();
      const client = make({ token, ...options });
      client.connect();
      await until("stopped", () => client.status.state === "stopped");
      assert.equal(client.status.code, code);
      assert.ok(!client.status.message.includes(token));
    }
  });

  test("a token that was renewed is the one of the next connection", async () => {
    const lasting = await manage("issue_token", "renewing", "--ttl", "3600");
    const short = await manage("issue_token", "renewing", "--ttl", "8");
    const path = await pathTo();
    const client = await connected({ url: path.url, token: short });
    await client.authenticate(lasting);
    const other = make({ token: short });
    await until("the first token has ended", async () => {
      other.connect();
      await until("an answer", () => ["open", "stopped"].includes(other.status.state));
      if (other.status.state === "open") await other.ping().catch(() => {});
      return other.status.state === "stopped" || other.close();
    });
    path.cut();
    await until("lost", () => client.status.state !== "open");
    await until("back, or stopped", () => ["open", "stopped"].includes(client.status.state));
    await client.ping();
  });

  test("a renewal whose `token` never ends is told", async () => {
    const short = await manage("issue_token", "renewing", "--ttl", "50");
    let asked = 0;
    const client = await connected({ connectMs: 2_000, token: () => ((asked += 1) === 1 ? short : new Promise(() => {})) });
    await client.ping();
    await until("told", () => client.errors.find(({ code, message }) => code === "timeout" && /token/.test(message)));
  });
});

describe("liveness", () => {
  test("a silent connection is noticed though the clock was set back", async () => {
    const now = Date.now;
    const path = await pathTo();
    const client = await connected({ url: path.url, token: freshToken(), keepAliveMs: 600, pongMs: 300 });
    try {
      Date.now = () => now() - 3_600_000;
      path.silent = true;
      await until("noticed", () => client.statuses.find(({ state }) => state === "waiting"), 20_000);
    } finally {
      Date.now = now;
    }
  });

  test("a healthy connection stays though the clock is set back while a pong is on its way", async () => {
    const now = Date.now;
    const path = await pathTo();
    const client = await connected({ url: path.url, token: freshToken(), keepAliveMs: 1e9, pongMs: 3_000 });
    try {
      client.wake();
      Date.now = () => now() - 5_000;
      await new Promise((resolve) => setTimeout(resolve, 4_000)); // longer than the pong may take
      assert.deepEqual(client.statuses.map(({ state }) => state), ["connecting", "open"]);
    } finally {
      Date.now = now;
    }
  });

  test("the first event comes at once to who only listens", async () => {
    const token = freshToken();
    const writer = await connected({ token });
    await writer.ping();
    const delays = [];
    // Several times: on a busy machine one may be late, but none of them may have had to wait for the server's 2 s.
    for (let turn = 0; turn < 5 && !(Math.min(...delays) < 1_500); turn += 1) {
      const listener = await connected({ token });
      const began = performance.now();
      writer.start("talking", { count: 1 });
      await until("an event", () => listener.seen.length);
      delays.push(performance.now() - began);
      listener.close();
    }
    assert.ok(Math.min(...delays) < 1_500, `${delays}`);
  });
});

describe("promises", () => {
  for (const state of ["closed", "stopped"]) {
    test(`of a client that is ${state} are rejected at once`, async () => {
      const client = make({ token: state === "closed" ? freshToken() : "a/b" });
      client.connect();
      if (state === "closed") client.close();
      await until(state, () => client.status.state === state);
      const code = state === "closed" ? "closed" : "invalid_token";
      const asked = [client.resume("T", 0), client.start("test"), client.stop("R"), client.respond("R", "A", true), client.sync(), client.watch([])];
      for (const promise of asked) assert.equal((await outcome(promise)).error?.code, code);
    });
  }

  test("stop() settles for a run whose thread is not watched", async () => {
    const token = freshToken();
    const writer = await connected({ token });
    const { run_id: runId } = await writer.start("resting");
    const client = await connected({ token });
    await client.watch(["elsewhere"]);
    const { value } = await outcome(client.stop(runId));
    assert.ok(value.event_type === "agent_cancelled" || value.code === "run_finished", JSON.stringify(value));
    await until("the other sees it", () => writer.seen.find((event) => event.event_type === "agent_cancelled"));
  });

  test("respond() settles for a run whose thread is not watched, and tells another's decision", async () => {
    const token = freshToken();
    const writer = await connected({ token });
    await writer.start("asking");
    const { run_id: runId, data } = await until("asked", () => writer.seen.find((event) => event.event_type === "approval_requested"));
    const client = await connected({ token });
    await client.watch([]);
    const { value } = await outcome(client.respond(runId, data.approval_id, true));
    assert.ok(value.event_type === "approval_resolved" || value.decision.approved === true, JSON.stringify(value));
    const { error } = await outcome(client.respond(runId, data.approval_id, false));
    assert.equal(error.code, "already_decided");
    assert.equal(error.frame.decision.approved, true);
  });

  test("a resume whose thread is silenced by watch() comes to an end", async () => {
    const token = freshToken();
    const last = await fill(token, "long", 2_000);
    const client = await connected({ token, answerMs: 1_000 });
    const resuming = client.resume("long", 0);
    client.watch([]).catch(() => {});
    const { value, error } = await outcome(resuming);
    assert.ok(value?.last_seq === last || error.code === "timeout");
  });

  test("what cannot be written as JSON is rejected, not thrown", async () => {
    const client = await connected({ token: freshToken() });
    for (const send of [(it) => client.start("test", it), (it) => client.respond("R", "A", true, it), (it) => client.ping(it)]) {
      const { error } = await outcome(send({ big: 1n }));
      assert.ok(error instanceof TypeError);
    }
    await client.ping();
  });
});

describe("frames", () => {
  const long = (number) => `tenant.acme:${"x".repeat(111)}${String(number).padStart(5, "0")}`; // 128 characters
  const many = (count, id) => Object.fromEntries(Array.from({ length: count }, (_, number) => [id(number), 0]));

  test("the cursors of a store are asked for in as many frames as they need", async () => {
    const client = make({ token: freshToken(), cursors: many(1_000, long) });
    const resumed = new Set();
    client.on("resumed", ({ thread_id: id }) => resumed.add(id));
    client.connect();
    await until("all are resumed", () => resumed.size === 1_000);
    assert.equal(client.status.state, "open");
    assert.deepEqual(client.errors, []);
  });

  test("resumeAll() too", async () => {
    const client = await connected({ token: freshToken() });
    const resumed = new Set();
    client.on("resumed", ({ thread_id: id }) => resumed.add(id));
    client.resumeAll(many(2_500, (number) => `t${number}`));
    client.resumeAll(many(900, long));
    await until("all are resumed", () => resumed.size === 3_400);
    assert.deepEqual(client.errors, []);
    assert.deepEqual([...new Set(client.statuses.map(({ state }) => state))], ["connecting", "open"]);
  });

  test("a watch that fits into no frame is rejected, costs nothing, and is not repeated", async () => {
    const path = await pathTo();
    const client = await connected({ url: path.url, token: freshToken() });
    for (const [code, ids] of [
      ["too_large", Object.keys(many(1_000, long))],
      ["too_large", Object.keys(many(1_001, (number) => `t${number}`))],
      ["invalid_action", ["fine", "not/legal"]],
      ["invalid_action", ["fine", undefined]],
    ]) {
      assert.equal((await outcome(client.watch(ids))).error.code, code);
    }
    path.cut();
    await until("lost", () => client.status.state !== "open");
    await isOpen(client);
    await client.ping();
    assert.deepEqual(client.errors, []);
  });

  test("what was started and resumed is still watched after a loss", async () => {
    const token = freshToken();
    const path = await pathTo();
    const client = await connected({ url: path.url, token });
    await client.watch(["elsewhere"]);
    const { thread_id: threadId, run_id: runId } = await client.start("resting");
    path.cut();
    await until("lost", () => client.status.state !== "open");
    await isOpen(client);
    const writer = await connected({ token });
    await writer.stop(runId);
    await until("the end is heard", () => client.seen.find((event) => event.thread_id === threadId && event.event_type === "agent_cancelled"));
  });

  for (const threadId of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    test(`a thread may be named ${threadId}`, async () => {
      const token = freshToken();
      const path = await pathTo();
      const client = await connected({ url: path.url, token });
      const gaps = [];
      client.on("gap", (gap) => gaps.push(gap));
      await client.start("talking", { count: 40, pause: 0.02 }, { threadId });
      await until("some events", () => client.seen.length > 5);
      path.cut();
      const last = await until("the run's end", () => client.seen.find((event) => event.event_type === "agent_completed"));
      assert.deepEqual(client.seen.map(({ seq }) => seq), Array.from({ length: last.seq }, (_, index) => index + 1));
      assert.deepEqual(gaps, []);
      assert.deepEqual(client.errors, []);
      assert.deepEqual(Object.entries(client.cursors), [[threadId, last.seq]]);
      client.close();

      const next = make({ token, cursors: JSON.parse(JSON.stringify(client.cursors)) });
      const resumed = [];
      next.on("resumed", (frame) => resumed.push(frame));
      next.connect();
      await until("resumed", () => resumed.length);
      assert.equal(resumed[0].last_seq, last.seq);
      assert.equal((await outcome(next.resume(threadId, 0))).value.thread_id, threadId);
      await until("all of it", () => next.seen.length === last.seq);
    });
  }

  for (const [what, id, cursor] of [
    ["a number as text", "bad", "12"],
    ["a fraction", "bad", 1.5],
    ["a negative number", "bad", -1],
    ["nothing", "bad", null],
    ["true", "bad", true],
    ["a number beyond the exact ones", "bad", 2 ** 60],
    ["an illegal id", "not/legal", 1],
    ["an id that is too long", "x".repeat(129), 1],
    ["an empty id", "", 1],
  ]) {
    test(`a store's cursor that is ${what} costs only its own thread`, async () => {
      const token = freshToken();
      const last = await fill(token, "good");
      for (const give of ["option", "resumeAll", "Map"]) {
        const cursors = give === "Map" ? new Map([["good", 1], [id, cursor]]) : { good: 1, [id]: cursor };
        const client = make({ token, cursors: give === "resumeAll" ? {} : cursors });
        client.connect();
        if (give === "resumeAll") {
          await isOpen(client);
          client.resumeAll(cursors);
        }
        await until("the good thread's events", () => client.seen.length === last - 1);
        assert.deepEqual(client.errors.map(({ code, frame }) => [code, frame.thread_id]), [["invalid_action", id.slice(0, 128)]]);
        const { error } = await outcome(client.resume(id, cursor));
        if (cursor !== null) assert.equal(error.code, "invalid_action");
        client.close();
      }
    });
  }

  test("a thread that was forgotten is not resumed, and comes back with its next event", async () => {
    const token = freshToken();
    const path = await pathTo();
    const last = await fill(token, "old");
    const client = await connected({ url: path.url, token });
    await client.resume("old", 0);
    await until("all of it", () => client.seen.length === last);
    client.forget("old");
    client.forget("never known");
    assert.deepEqual(client.cursors, {});
    path.cut();
    await until("lost", () => client.status.state !== "open");
    await isOpen(client);
    await client.ping();
    assert.equal(client.seen.length, last);
    await fill(token, "old");
    await until("new events", () => client.seen.length > last);
    assert.equal(client.seen[last].seq, last + 1);
  });

  test("of a thread forgotten in the middle of its replay nothing more is told", async () => {
    const token = freshToken();
    const last = await fill(token, "old", 500);
    const client = await connected({ token });
    const resuming = outcome(client.resume("old", 0));
    await until("the replay has begun", () => client.seen.length);
    client.forget("old");
    const seen = client.seen.length;
    if (seen < last) assert.equal((await resuming).error?.code, "forgotten");
    await client.resume("other", 0); // answered after what was on its way
    await client.ping();
    await fill(token, "third", 1);
    await until("events of another thread", () => client.seen.at(-1).event_type === "agent_completed");
    assert.deepEqual(client.seen.slice(seen).filter(({ thread_id: id }) => id === "old"), []);
    assert.ok(!("old" in client.cursors));
  });
});

describe("a restored backup", () => {
  const whole = (client, last) => {
    const seqs = client.seen.map(({ seq }) => seq);
    assert.deepEqual(seqs, Array.from({ length: last }, (_, index) => index + 1));
  };

  test("is told to who stood in the history of before, and the thread begins anew", async () => {
    const token = freshToken();
    const last = await fill(token, "T");
    const listener = make({ token });
    const [resets, later] = [[], []];
    listener.on("reset", ({ threadId }) => {
      resets.push(threadId);
      listener.seen.length = 0;
    });
    listener.connect();
    await listener.resume("T", last);
    const store = { cursors: listener.cursors, epoch: listener.epoch };
    assert.equal(typeof store.epoch, "string");

    await manage("new_epoch");
    await until("the one that is connected is told", () => resets.length);
    await until("it has the thread anew", () => listener.seen.length === last);
    assert.deepEqual(resets, ["T"]);
    whole(listener, last);
    assert.notEqual(listener.epoch, store.epoch);

    const late = make({ token, ...store });
    late.on("reset", ({ threadId }) => later.push(threadId));
    late.connect();
    await until("the one that comes later has it anew", () => late.seen.length === last);
    assert.deepEqual(later, ["T"]);
    whole(late, last);
    for (const { code } of [...listener.errors, ...late.errors]) assert.equal(code, "draining"); // how it is told
    await late.ping();
    assert.equal(late.epoch, listener.epoch);
  });

  test("is told to who has never resumed or asked for anything", async () => {
    const token = freshToken();
    const path = await pathTo();
    const client = await connected({ url: path.url, token });
    const resets = [];
    client.on("reset", ({ threadId }) => resets.push(threadId));
    await client.start("talking", { count: 2 }, { threadId: "T" });
    await until("the epoch", () => client.epoch);
    path.mode = "swallow";
    path.cut();
    await manage("new_epoch");
    path.mode = "pass";
    await until("told", () => resets.length);
    await fill(token, "U");
    assert.deepEqual(resets, ["T"]);
  });
});

describe("listeners", () => {
  test("the same function registered twice is called twice, until both are ended", async () => {
    const client = make({ token: freshToken() });
    let calls = 0;
    const count = ({ state }) => (calls += state === "connecting");
    const ends = [client.on("status", count), client.on("status", count)];
    client.connect();
    assert.equal(calls, 2);
    ends[0]();
    ends[0]();
    client.close();
    client.connect();
    assert.equal(calls, 3);
  });
});
