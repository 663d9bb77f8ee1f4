import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { NetraClient, NetraError, defaultUrl, newId } from "../../../netra/static/netra/netra-client.js";
import { ScriptedSocket, event } from "./scripted_socket.mjs";

let client;
let seen;
let statuses;

/** Promises of the client settle in microtasks, which the mocked timers do not run. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

const seqs = (thread = "T") => seen.filter(({ thread_id: id }) => id === thread).map(({ seq }) => seq);

async function connect(options = {}) {
  client = new NetraClient({ url: "ws://test/ws", WebSocket: ScriptedSocket, random: () => 1, ...options });
  client.on("event", (frame, meta) => seen.push({ ...frame, ...meta }));
  client.on("status", (status) => statuses.push(status));
  client.connect();
  await settle();
  return ScriptedSocket.last.accept();
}

/** Lose the connection and come back. */
async function reconnect(code = 1006) {
  ScriptedSocket.last.drop(code);
  mock.timers.tick(60_000);
  await settle();
  return ScriptedSocket.last.accept();
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  ScriptedSocket.reset();
  seen = [];
  statuses = [];
});

afterEach(() => {
  client?.close();
  mock.timers.reset();
});

describe("connecting", () => {
  test("offers both subprotocols, and lets the application speak first", async () => {
    const socket = await connect();
    assert.deepEqual(socket.protocols, ["netra.v1.batch", "netra.v1"]);
    assert.deepEqual(socket.sent, []);
    assert.equal(client.status.state, "open");
    client.sync().catch(() => {});
    mock.timers.tick(0);
    assert.deepEqual(socket.sent.map(({ action }) => action), ["sync"]);
  });

  test("speaks for one that only listens: until it is spoken to the server is silent", async () => {
    const socket = await connect();
    mock.timers.tick(0);
    assert.deepEqual(socket.sent.map(({ action }) => action), ["sync"]);
  });

  test("sends a bearer token as a subprotocol, never in the address", async () => {
    const socket = await connect({ token: async () => "abc.def" });
    assert.deepEqual(socket.protocols.at(-1), "bearer.abc.def");
    assert.ok(!socket.url.includes("abc"));
  });

  test("fetches a new ticket for every connection", async () => {
    let number = 0;
    await connect({ ticket: async () => `t/${(number += 1)}` });
    assert.equal(ScriptedSocket.last.url, "ws://test/ws?ticket=t%2F1");
    await reconnect();
    assert.equal(ScriptedSocket.last.url, "ws://test/ws?ticket=t%2F2");
  });

  test("derives the address from the page", () => {
    assert.equal(defaultUrl({ protocol: "https:", host: "a.example:8443" }), "wss://a.example:8443/ws");
    assert.equal(defaultUrl({ protocol: "http:", host: "localhost:8000" }), "ws://localhost:8000/ws");
  });

  test("makes ids the server accepts", () => {
    const ids = new Set(Array.from({ length: 1_000 }, newId));
    assert.equal(ids.size, 1_000);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  });
});

describe("coming back", () => {
  /** What the client does when a socket is closed so: "back", "later" or "stopped". */
  async function after(closeCode, farewell) {
    const socket = await connect();
    if (farewell) socket.deliver({ event_type: "error", code: farewell, message: "Because." });
    socket.drop(closeCode);
    const { state, code } = client.status;
    assert.equal(code, farewell ?? (state === "stopped" ? "refused" : null));
    mock.timers.tick(19_000);
    await settle();
    const soon = ScriptedSocket.opened.length;
    mock.timers.tick(10 * 60_000);
    await settle();
    if (ScriptedSocket.opened.length === 1) assert.equal(state, "stopped");
    return ScriptedSocket.opened.length === 1 ? "stopped" : soon === 2 ? "back" : "later";
  }

  // The close table of the protocol. Codes get lost or changed on the way; then the last error frame counts.
  for (const [expected, closeCode, ...farewells] of [
    ["back", 1012, "draining"],
    ["back", 4408, "too_slow", "draining"],
    ["stopped", 4400, "binary_frame"],
    ["stopped", 4401, "unauthenticated", "token_expired", "session_revoked"],
    ["stopped", 4413, "frame_too_large"],
    ["later", 4409, "too_many_connections"],
    ["later", 4429, "flooding"],
  ]) {
    test(`close ${closeCode}: ${expected}`, async () => assert.equal(await after(closeCode), expected));
    for (const farewell of farewells) {
      test(`close ${closeCode} after ${farewell}: ${expected}`, async () => assert.equal(await after(closeCode, farewell), expected));
      test(`a lost close after ${farewell}: ${expected}`, async () => assert.equal(await after(1006, farewell), expected));
    }
  }

  for (const code of [1000, 1001, 1002, 1005, 1006, 1007, 1011, 1013, 1015, 4999]) {
    test(`close ${code}, which says nothing about us: back`, async () => assert.equal(await after(code), "back"));
  }

  test("close 1009, a frame larger than the transport takes: stopped", async () => assert.equal(await after(1009), "stopped"));

  test("waits twice as long each time, up to the limit, half of it by chance", async () => {
    await connect({ random: () => 0 });
    const waits = [];
    for (let round = 0; round < 9; round += 1) {
      ScriptedSocket.last.drop();
      waits.push(client.status.retryAt - Date.now());
      mock.timers.tick(60_000);
      await settle();
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  });

  test("a connection that held makes the next wait short again", async () => {
    await connect();
    for (let round = 0; round < 4; round += 1) {
      ScriptedSocket.last.drop();
      mock.timers.tick(60_000);
      await settle();
    }
    ScriptedSocket.last.accept();
    mock.timers.tick(6_000);
    ScriptedSocket.last.drop();
    assert.equal(client.status.retryAt - Date.now(), 500);
  });

  test("honours the time a draining server asks for, and says why", async () => {
    const socket = await connect();
    socket.deliver({ event_type: "error", code: "draining", message: "Restarting", retry_after_ms: 1234 });
    socket.drop(1012);
    assert.equal(client.status.code, "draining");
    assert.equal(client.status.retryAt - Date.now(), 1234);
  });

  test("waits longer than the server asks for after too many connections", async () => {
    const socket = await connect();
    socket.deliver({ event_type: "error", code: "too_many_connections", message: "20 at most", retry_after_ms: 5_000 });
    socket.drop(4409);
    assert.equal(client.status.retryAt - Date.now(), 25_000);
  });

  test("a wake() that came too early is followed when the server's time is over", async () => {
    const socket = await connect();
    socket.deliver({ event_type: "error", code: "too_many_connections", message: "20 at most", retry_after_ms: 5_000 });
    socket.drop(4409);
    client.wake();
    mock.timers.tick(4_999);
    await settle();
    assert.equal(ScriptedSocket.opened.length, 1);
    mock.timers.tick(1);
    await settle();
    assert.equal(ScriptedSocket.opened.length, 2);
  });

  test("a time longer than a timer can hold is not taken for none", async () => {
    const socket = await connect();
    socket.deliver({ event_type: "error", code: "draining", message: "Restarting", retry_after_ms: 2 ** 40 });
    socket.drop(1012);
    assert.equal(client.status.retryAt - Date.now(), 3_600_000);
  });

  test("close() in a listener that hears of the loss is final", async () => {
    await connect();
    client.on("status", ({ state }) => state === "waiting" && client.close());
    ScriptedSocket.last.drop();
    mock.timers.tick(60_000);
    await settle();
    assert.equal(ScriptedSocket.opened.length, 1);
    assert.equal(client.status.state, "closed");
  });

  test("an error event of the socket is heard: in Node one that nobody hears ends the program", async () => {
    const socket = await connect();
    socket.onerror(new Error("refused"));
    client.close();
    assert.equal(typeof socket.onerror, "function"); // one that is closed early tells an error too
  });

  test("an older error is not taken for the reason of a close", async () => {
    const socket = await connect();
    socket.deliver({ event_type: "error", code: "not_found", message: "No such run", request_id: "x" });
    socket.drop(1006);
    assert.equal(client.status.code, null);
  });

  test("wake() tries at once instead of waiting", async () => {
    await connect();
    ScriptedSocket.last.drop();
    client.wake();
    await settle();
    assert.equal(ScriptedSocket.opened.length, 2);
    mock.timers.tick(60_000); // the planned attempt must not come on top of it
    await settle();
    assert.equal(ScriptedSocket.opened.length, 2);
  });

  test("asks a silent connection for a sign of life and lets a dead one go", async () => {
    const socket = await connect();
    mock.timers.tick(25_000);
    assert.equal(socket.actions("ping").length, 1);
    mock.timers.tick(10_000);
    assert.equal(client.status.state, "waiting");
  });

  test("a connection that answers the ping stays", async () => {
    const socket = await connect();
    mock.timers.tick(25_000);
    mock.timers.tick(1_000);
    socket.deliver({ event_type: "pong" });
    mock.timers.tick(10_000);
    assert.equal(client.status.state, "open");
  });

  test("fresh credentials are tried once after 4401, and a second refusal is final", async () => {
    let given = 0;
    await connect({ token: () => `t${(given += 1)}` });
    ScriptedSocket.last.drop(4401);
    await settle();
    assert.equal(ScriptedSocket.last.protocols.at(-1), "bearer.t2");
    ScriptedSocket.last.accept().drop(4401);
    assert.equal(client.status.state, "stopped");
    client.connect({ token: "new" });
    await settle();
    assert.equal(ScriptedSocket.last.protocols.at(-1), "bearer.new");
  });

  test("a hook before connecting can stop it, or put it off", async () => {
    let failure = new Error("no network");
    client = new NetraClient({
      url: "ws://test/ws",
      WebSocket: ScriptedSocket,
      beforeConnect: async () => {
        throw failure;
      },
    });
    client.connect();
    await settle();
    assert.equal(client.status.state, "waiting");
    failure = new NetraError("unauthenticated", "Somebody else logged in");
    client.wake();
    await settle();
    assert.equal(client.status.state, "stopped");
    assert.equal(ScriptedSocket.opened.length, 0);
  });

  test("close() while a hook is still working opens no socket", async () => {
    let go;
    client = new NetraClient({
      url: "ws://test/ws",
      WebSocket: ScriptedSocket,
      beforeConnect: () => new Promise((resolve) => (go = resolve)),
    });
    client.connect();
    client.close();
    go();
    await settle();
    assert.equal(ScriptedSocket.opened.length, 0);
  });
});

describe("resuming", () => {
  test("resumes every thread it has seen, as its first action", async () => {
    const socket = await connect();
    client.sync().catch(() => {});
    socket.deliver(event(1), event(2), event(7, { thread: "U" }));
    const next = await reconnect();
    assert.equal(next.sent[0].action, "resume");
    assert.deepEqual(next.sent[0].cursors, { T: 2, U: 7 });
  });

  test("takes up the cursors of an earlier client", async () => {
    const socket = await connect({ cursors: { T: 41 } });
    assert.deepEqual(socket.sent[0].cursors, { T: 41 });
    assert.deepEqual(client.cursors, { T: 41 });
  });

  test("splits what is too much for one frame", async () => {
    const cursors = Object.fromEntries(Array.from({ length: 1500 }, (_, number) => [`t${number}`, 1]));
    const socket = await connect({ cursors });
    assert.deepEqual(socket.sent.map((frame) => Object.keys(frame.cursors).length), [1000, 500]);
  });

  test("splits what is too large for one frame, however few they are", async () => {
    const cursors = Object.fromEntries(Array.from({ length: 1000 }, (_, number) => [`${number}`.padStart(128, "x"), 2 ** 50]));
    const socket = await connect({ cursors, epoch: "e".repeat(128) });
    assert.equal(socket.sent.flatMap((frame) => Object.keys(frame.cursors)).length, 1000);
    for (const frame of socket.sent) assert.ok(JSON.stringify(frame).length <= 65_536);
    assert.equal(socket.sent.length, 3);
  });

  test("a frame the server takes for illegal is asked again in parts, until the culprit is found", async () => {
    const ids = Array.from({ length: 8 }, (_, number) => `t${number}`);
    const socket = await connect({ cursors: Object.fromEntries(ids.map((id) => [id, 1])) });
    const errors = [];
    const resumed = [];
    client.on("error", ({ code }) => errors.push(code));
    client.on("resumed", ({ thread_id: id }) => resumed.push(id));
    for (let at = 0; at < socket.sent.length; at += 1) {
      const { cursors, request_id: id } = socket.sent[at];
      if ("t5" in cursors) socket.deliver({ event_type: "error", code: "invalid_action", message: "t5", request_id: id });
      else for (const thread of Object.keys(cursors)) socket.deliver({ event_type: "resumed", thread_id: thread, last_seq: 1, request_id: id });
    }
    assert.deepEqual(errors, ["invalid_action"]);
    assert.deepEqual(resumed.sort(), ids.filter((id) => id !== "t5"));
    assert.ok(socket.sent.length < 10);
  });

  test("an error that answers a resume which was replaced is nobody's", async () => {
    const socket = await connect();
    const errors = [];
    client.on("error", ({ code }) => errors.push(code));
    client.resume("T", 9);
    const [older] = socket.actions("resume");
    client.resume("T", 0);
    socket.deliver({ event_type: "error", code: "invalid_cursor", thread_id: "T", last_seq: 3, request_id: older.request_id });
    assert.deepEqual(errors, []);
    assert.equal(socket.actions("resume").length, 2);
  });

  test("a resume whose thread falls silent ends; one that is still sent goes on; away from the server time stands still", async () => {
    const socket = await connect({ keepAliveMs: 1e9 });
    const outcomes = { T: null, U: null };
    for (const id of Object.keys(outcomes)) client.resume(id, 0).catch((error) => (outcomes[id] = error.code));
    const { request_id: id } = socket.actions("resume")[0];
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 1, to_seq: 90, request_id: id });
    for (let seq = 1; seq < 5; seq += 1) {
      socket.deliver(event(seq));
      mock.timers.tick(20_000);
      await settle();
    }
    assert.deepEqual(outcomes, { T: null, U: "timeout" });
    socket.drop();
    mock.timers.tick(10 * 60_000);
    await settle();
    assert.equal(outcomes.T, null);
    ScriptedSocket.last.accept();
    mock.timers.tick(60_000);
    await settle();
    assert.equal(outcomes.T, "timeout");
  });

  test("repeats the watch list on a new connection", async () => {
    await connect();
    client.watch(["T"]).catch(() => {});
    const next = await reconnect();
    assert.deepEqual(next.actions("watch").map((frame) => frame.threads), [["T"]]);
  });

  test("each event is handed over once, replayed or not", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(2), event(3));
    const next = await reconnect();
    const { request_id: id } = next.sent[0];
    next.deliver({ event_type: "replaying", thread_id: "T", from_seq: 2, to_seq: 5, request_id: id });
    next.deliver(event(2), event(3), event(4), event(5));
    next.deliver({ event_type: "resumed", thread_id: "T", last_seq: 5, run_id: null, run_status: null, request_id: id });
    next.deliver(event(6));
    assert.deepEqual(seqs(), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(seen.map(({ replayed }) => replayed), [false, false, false, true, true, false]);
  });

  test("an explicit resume from 0 hands everything over again, and nothing of before in between", async () => {
    const socket = await connect();
    socket.deliver(event(8));
    const done = client.resume("T", 0);
    const { request_id: id } = socket.actions("resume")[0];
    socket.deliver(event(9)); // was on its way when we asked
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 1, to_seq: 9, request_id: id });
    for (let seq = 1; seq <= 9; seq += 1) socket.deliver(event(seq));
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 9, request_id: id });
    assert.deepEqual(seqs(), [8, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal((await done).last_seq, 9);
  });

  test("the answer to a resume that was replaced does not count for the newer one", async () => {
    const socket = await connect();
    client.resume("T", 5);
    client.resume("T", 0);
    const [older, newer] = socket.actions("resume");
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 6, to_seq: 6, request_id: older.request_id });
    socket.deliver(event(6));
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 6, request_id: older.request_id });
    assert.deepEqual(seqs(), []);
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 1, to_seq: 1, request_id: newer.request_id });
    socket.deliver(event(1));
    assert.deepEqual(seqs(), [1]);
  });

  test("a resume asked for while offline is made on the next connection, and its promise kept", async () => {
    await connect();
    ScriptedSocket.last.drop();
    const done = client.resume("T", 0);
    mock.timers.tick(60_000);
    await settle();
    const socket = ScriptedSocket.last.accept();
    assert.deepEqual(socket.sent[0].cursors, { T: 0 });
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 0, request_id: socket.sent[0].request_id });
    assert.equal((await done).thread_id, "T");
  });

  test("refuses ids that would spoil the whole frame", async () => {
    await connect();
    await assert.rejects(client.resume("no such/thread", 0), { code: "invalid_action" });
  });

  test("a gap is filled before anything after it is shown", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(4));
    assert.deepEqual(seqs(), [1]);
    const { cursors, request_id: id } = socket.actions("resume")[0];
    assert.deepEqual(cursors, { T: 1 });
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 2, to_seq: 4, request_id: id });
    socket.deliver(event(2), event(3), event(4));
    assert.deepEqual(seqs(), [1, 2, 3, 4]);
  });

  test("a notice of the site is handed on, and is no event", async () => {
    const socket = await connect();
    const told = [];
    client.on("notice", (frame) => told.push(frame));
    const notice = { event_type: "notice", name: "order_shipped", data: { order: 7, seq: 9 } };
    socket.deliver(event(1), notice, event(2));
    assert.deepEqual(told, [notice]);
    assert.deepEqual(seqs(), [1, 2]);
  });

  test("events lost at the end of a replay are asked for again", async () => {
    const socket = await connect({ cursors: { T: 1 } });
    const first = socket.sent[0].request_id;
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 2, to_seq: 3, request_id: first });
    socket.deliver(event(2));
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 3, request_id: first });
    assert.deepEqual(socket.actions("resume").map((frame) => frame.cursors.T), [1, 2]);
  });

  test("a gap that cannot be filled is told, and life goes on", async () => {
    const socket = await connect();
    const gaps = [];
    client.on("gap", (gap) => gaps.push(gap));
    socket.deliver(event(1), event(4));
    const { request_id: id } = socket.actions("resume")[0];
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 2, to_seq: 4, request_id: id }, event(4), event(5));
    assert.deepEqual(gaps, [{ threadId: "T", from: 2, to: 3 }]);
    assert.deepEqual(seqs(), [1, 4, 5]);
  });

  test("cursor_expired: tells what is gone and goes on from what there is", async () => {
    const socket = await connect({ cursors: { T: 3 } });
    const gaps = [];
    client.on("gap", (gap) => gaps.push(gap));
    const { request_id: id } = socket.sent[0];
    socket.deliver({ event_type: "error", code: "cursor_expired", thread_id: "T", first_seq: 10, request_id: id });
    assert.deepEqual(gaps, [{ threadId: "T", from: 4, to: 9 }]);
    assert.deepEqual(socket.sent[1].cursors, { T: 9 });
  });

  test("invalid_cursor: the thread is another one now, begin anew", async () => {
    const socket = await connect({ cursors: { T: 30 } });
    const resets = [];
    client.on("reset", (reset) => resets.push(reset));
    const { request_id: id } = socket.sent[0];
    socket.deliver({ event_type: "error", code: "invalid_cursor", thread_id: "T", last_seq: 0, request_id: id });
    assert.deepEqual(resets, [{ threadId: "T", lastSeq: 0 }]);
    assert.deepEqual(socket.sent[1].cursors, { T: 0 });
  });

  test("a resume refused for now is asked again after the time the server names", async () => {
    const socket = await connect({ cursors: { T: 3 } });
    const { request_id: id } = socket.sent[0];
    socket.deliver({ event_type: "error", code: "rate_limited", retry_after_ms: 700, request_id: id });
    mock.timers.tick(699);
    assert.equal(socket.actions("resume").length, 1);
    mock.timers.tick(1);
    assert.deepEqual(socket.actions("resume")[1].cursors, { T: 3 });
  });

  test("resumes that are refused together are asked again one after the other", async () => {
    const cursors = Object.fromEntries(Array.from({ length: 4_000 }, (_, number) => [`t${number}`, 1]));
    const socket = await connect({ cursors });
    for (const { request_id: id } of socket.sent.slice()) {
      socket.deliver({ event_type: "error", code: "rate_limited", message: "", retry_after_ms: 700, request_id: id });
    }
    const counts = [];
    mock.timers.tick(700);
    for (let second = 0; second < 4; second += 1) {
      counts.push(socket.actions("resume").length - 4);
      mock.timers.tick(1_000);
    }
    assert.deepEqual(counts, [1, 2, 3, 4]);
  });
});

describe("epochs", () => {
  const resets = () => {
    const told = [];
    client.on("reset", ({ threadId }) => told.push(threadId));
    return told;
  };

  test("the epoch is remembered beside the cursors, and sent with them", async () => {
    const socket = await connect({ cursors: { T: 3 }, epoch: "one" });
    assert.equal(socket.sent[0].epoch, "one");
    const { request_id: id } = socket.sent[0];
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 3, epoch: "one", request_id: id });
    assert.equal(client.epoch, "one");
    assert.equal((await reconnect()).sent[0].epoch, "one");
  });

  test("a server that knows none is as it was", async () => {
    const socket = await connect({ cursors: { T: 3 } });
    assert.ok(!("epoch" in socket.sent[0]));
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 3, request_id: socket.sent[0].request_id });
    assert.equal(client.epoch, null);
    assert.deepEqual(client.cursors, { T: 3 });
  });

  test("a first epoch is taken over with the cursors there are", async () => {
    const socket = await connect({ cursors: { T: 3 } });
    const told = resets();
    socket.deliver({ event_type: "synced", threads: [], epoch: "one", request_id: "x" });
    assert.deepEqual([client.epoch, client.cursors, told], ["one", { T: 3 }, []]);
  });

  test("cursor_expired from the first event on: every thread begins anew, once, and nothing of before is told", async () => {
    const socket = await connect({ cursors: { T: 3, U: 5 }, epoch: "one" });
    const told = resets();
    const errors = [];
    client.on("error", ({ code }) => errors.push(code));
    const { request_id: old } = socket.sent[0];
    for (const thread of ["T", "U"]) {
      socket.deliver({ event_type: "error", code: "cursor_expired", message: "", thread_id: thread, first_seq: 1, request_id: old });
    }
    assert.deepEqual(told, ["T", "U"]);
    assert.deepEqual(errors, []);
    const [, { cursors, epoch, request_id: id }, ...others] = socket.sent;
    assert.deepEqual([cursors, epoch, others], [{ T: 0, U: 0 }, undefined, []]);
    socket.deliver({ event_type: "replaying", thread_id: "T", from_seq: 1, to_seq: 2, epoch: "two", request_id: id });
    socket.deliver(event(1), event(2));
    assert.deepEqual(seqs(), [1, 2]);
    assert.equal(client.epoch, "two");
  });

  test("another epoch in any frame: the same, and late answers of the old one change nothing", async () => {
    const socket = await connect({ cursors: { T: 3 }, epoch: "one" });
    const told = resets();
    const { request_id: old } = socket.sent[0];
    socket.deliver({ event_type: "synced", threads: [], epoch: "two", request_id: "x" });
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 3, epoch: "one", request_id: old });
    assert.deepEqual([client.epoch, client.cursors, told], ["two", { T: 0 }, ["T"]]);
    const [, { cursors, epoch, request_id: id }] = socket.actions("resume");
    assert.deepEqual([cursors, epoch], [{ T: 0 }, "two"]);
    socket.deliver({ event_type: "resumed", thread_id: "T", last_seq: 0, epoch: "two", request_id: id });
    assert.deepEqual(told, ["T"]);
  });

  test("one that only listens asks for the epoch, once, and tells nobody", async () => {
    const socket = await connect();
    const told = [];
    for (const type of ["control", "error"]) client.on(type, (frame) => told.push(frame));
    client.start("test").catch(() => {});
    mock.timers.tick(0);
    assert.deepEqual(socket.actions("sync"), []); // there are no cursors yet that it could be of
    socket.deliver(event(1), event(2));
    const [{ limit, request_id: id }, ...more] = socket.actions("sync");
    assert.deepEqual([limit, more], [1, []]);
    socket.deliver({ event_type: "synced", threads: [], epoch: "one", request_id: id });
    assert.equal(client.epoch, "one");
    const next = await reconnect();
    assert.equal(next.sent[0].epoch, "one");
    next.deliver(event(3));
    assert.deepEqual(next.actions("sync"), []);
    assert.deepEqual(told, []);
  });

  test("a server that refuses to tell the epoch is not asked again before the next connection", async () => {
    const socket = await connect();
    const told = [];
    client.on("error", (error) => told.push(error));
    socket.deliver(event(1));
    const [{ request_id: id }] = socket.actions("sync");
    socket.deliver({ event_type: "error", code: "rate_limited", message: "", request_id: id });
    socket.deliver(event(2));
    assert.equal(socket.actions("sync").length, 1);
    assert.deepEqual(told, []);
  });

  test("a store's epoch that is no short text is none", async () => {
    for (const epoch of [null, 7, {}, ""]) {
      const socket = await connect({ cursors: { T: 3 }, epoch });
      assert.ok(!("epoch" in socket.sent[0]));
      client.close();
    }
  });
});

describe("requests", () => {
  test("answers find their question, in any order", async () => {
    const socket = await connect();
    const [first, second] = [client.ping(1), client.ping(2)];
    const [one, two] = socket.sent;
    socket.deliver({ event_type: "pong", payload: 2, request_id: two.request_id });
    socket.deliver({ event_type: "pong", payload: 1, request_id: one.request_id });
    assert.deepEqual([(await first).payload, (await second).payload], [1, 2]);
  });

  test("an error rejects the question it answers, with everything the server said", async () => {
    const socket = await connect();
    const stopping = client.stop("nope");
    socket.deliver({ event_type: "error", code: "internal", message: "Sorry", incident: "i-1", request_id: socket.sent[0].request_id });
    await assert.rejects(stopping, { name: "NetraError", code: "internal", message: "Sorry", incident: "i-1" });
  });

  test("an error that answers nothing goes to the listeners", async () => {
    const socket = await connect();
    const errors = [];
    client.on("error", (error) => errors.push(error.code));
    socket.deliver({ event_type: "error", code: "invalid_json", message: "?" });
    assert.deepEqual(errors, ["invalid_json"]);
  });

  test("start resolves with the run's first event, not with another tab's of the same request_id", async () => {
    const socket = await connect();
    const starting = client.start("test", { message: "hi" }, { threadId: "T", runId: "mine", ifBusy: "reject" });
    const [frame] = socket.sent;
    assert.deepEqual(frame, {
      action: "start_agent", agent_type: "test", input: { message: "hi" }, run_id: "mine", thread_id: "T",
      if_busy: "reject", request_id: frame.request_id,
    });
    socket.deliver(event(1, { run: "theirs", type: "agent_started", data: { request_id: frame.request_id } }));
    socket.deliver(event(2, { run: "mine", type: "run_queued", data: { position: 1, request_id: frame.request_id } }));
    assert.equal((await starting).seq, 2);
  });

  test("start, stop and respond are sent again after a loss, unchanged", async () => {
    const socket = await connect();
    const outcomes = [client.start("test", {}, { threadId: "T" }), client.stop("R2"), client.respond("R3", "a", true)];
    const next = await reconnect();
    assert.deepEqual(next.sent, socket.sent);
    next.deliver({ event_type: "resumed", thread_id: "T", last_seq: 1, request_id: next.sent[0].request_id });
    next.deliver(event(1, { thread: "X", run: "R2", type: "agent_cancelled", data: { reason: "stopped" } }));
    next.deliver(event(1, { thread: "Y", run: "R3", type: "approval_resolved", data: { approval_id: "a" } }));
    const types = (await Promise.all(outcomes)).map((frame) => frame.event_type);
    assert.deepEqual(types, ["resumed", "agent_cancelled", "approval_resolved"]);
  });

  test("one that was sent again is not rejected because the first has worked", async () => {
    await connect();
    const edited = (arguments_) => client.respond("S", "c", true, null, { arguments: arguments_ });
    const outcomes = [
      client.stop("R"), client.respond("S", "a", true, { b: 1 }), client.respond("S", "b", true), client.stop("V"),
      edited({ n: 1 }), edited({ n: 2 }), client.respond("S", "c", true),
    ];
    const settled = Promise.allSettled(outcomes);
    const next = await reconnect();
    const [stop, mine, others, unknown, ...edits] = next.sent.map(({ request_id: id }) => id);
    assert.deepEqual(next.sent.slice(4).map((frame) => frame.arguments), [{ n: 1 }, { n: 2 }, undefined]);
    const answer = (id, code, more) => next.deliver({ event_type: "error", code, message: "", request_id: id, ...more });
    answer(stop, "run_finished");
    answer(mine, "already_decided", { decision: { approved: true, value: { b: 1 } } });
    answer(others, "already_decided", { decision: { approved: false, value: null } });
    answer(unknown, "not_found");
    for (const id of edits) answer(id, "already_decided", { decision: { approved: true, value: null, arguments: { n: 1 } } });
    const told = (await settled).map(({ value, reason }) => value?.code ?? `rejected ${reason.code}`);
    assert.deepEqual(told.slice(0, 4), ["run_finished", "already_decided", "rejected already_decided", "rejected not_found"]);
    assert.deepEqual(told.slice(4), ["already_decided", "rejected already_decided", "rejected already_decided"]);
  });

  test("one that is never answered is sent again, and has an end", async () => {
    const socket = await connect({ keepAliveMs: 1e9 });
    const codes = [];
    for (const promise of [client.start("test"), client.stop("R"), client.respond("S", "a", true)]) promise.catch(({ code }) => codes.push(code));
    mock.timers.tick(30_000);
    for (const action of ["start_agent", "stop_agent", "respond"]) assert.equal(socket.actions(action).length, 2);
    assert.equal(new Set(socket.actions("start_agent").map(({ run_id: id }) => id)).size, 1);
    mock.timers.tick(30_000);
    await settle();
    assert.deepEqual(codes, ["timeout", "timeout", "timeout"]);
  });

  test("questions about a connection end with it", async () => {
    await connect();
    const pinging = client.ping();
    ScriptedSocket.last.drop();
    await assert.rejects(pinging, { code: "disconnected" });
  });

  test("a server that does not answer in time rejects a question", async () => {
    await connect({ keepAliveMs: 1e9 });
    const syncing = client.sync();
    mock.timers.tick(30_000);
    await assert.rejects(syncing, { code: "timeout" });
  });

  test("what waits is rejected when the session is over, with the reason", async () => {
    const socket = await connect();
    const starting = client.start("test");
    socket.deliver({ event_type: "error", code: "session_revoked", message: "Logged out" });
    socket.drop(4401);
    await assert.rejects(starting, { code: "session_revoked" });
    await assert.rejects(client.start("test"), { code: "session_revoked" });
  });

  test("a frame the server would close for is refused here, and costs nothing else", async () => {
    const socket = await connect();
    await assert.rejects(client.start("test", { message: "ä".repeat(33_000) }), { code: "too_large" });
    assert.deepEqual(socket.sent, []);
    assert.equal(client.status.state, "open");
  });

  test("a fresh token is sent before the session expires", async () => {
    let given = 0;
    const socket = await connect({ token: () => `t${(given += 1)}` });
    socket.deliver({ event_type: "session_expiring", expires_at: "2026-01-31T12:01:00.000000Z" });
    await settle();
    assert.deepEqual(socket.actions("authenticate").map((frame) => frame.token), ["t2"]);
  });
});

describe("flow control", () => {
  test("acknowledges after a second what was handled", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(2));
    assert.equal(socket.actions("ack").length, 0);
    mock.timers.tick(1_000);
    assert.deepEqual(socket.actions("ack").map((frame) => frame.cursors), [{ T: 2 }]);
    mock.timers.tick(10_000);
    assert.equal(socket.actions("ack").length, 1);
  });

  test("acknowledges at once after 128 KiB", async () => {
    const socket = await connect();
    const data = { message_id: "m", delta: "x".repeat(70_000) };
    socket.deliver(event(1, { data }));
    assert.equal(socket.actions("ack").length, 0);
    socket.deliver(event(2, { data }));
    assert.deepEqual(socket.actions("ack").map((frame) => frame.cursors), [{ T: 2 }]);
  });

  test("acknowledges all threads, in as many frames as they need", async () => {
    const socket = await connect({ ackBytes: 1e9 });
    for (let number = 0; number < 1_500; number += 1) socket.deliver(event(3, { thread: `t${number}` }));
    mock.timers.tick(1_000);
    assert.deepEqual(socket.actions("ack").map((frame) => Object.keys(frame.cursors).length), [1000, 500]);
  });

  test("acknowledges again what was refused for now: else the window would stay shut", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(1, { thread: "U" }));
    mock.timers.tick(1_000);
    const [{ request_id: id }] = socket.actions("ack");
    socket.deliver({ event_type: "error", code: "rate_limited", message: "", retry_after_ms: 300, request_id: id });
    mock.timers.tick(300);
    assert.deepEqual(socket.actions("ack").map((frame) => frame.cursors), [{ T: 1, U: 1 }, { T: 1, U: 1 }]);
    mock.timers.tick(5_000);
    assert.equal(socket.actions("ack").length, 2);
  });

  test("acknowledges what was handled of a thread before it is forgotten: the window is all threads'", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(2));
    client.forget("T");
    assert.deepEqual(socket.actions("ack").map((frame) => frame.cursors), [{ T: 2 }]);
    assert.deepEqual(client.cursors, {});
  });

  test("acknowledges a replay where the replay stands, not where the reader stood before", async () => {
    const socket = await connect();
    socket.deliver(event(1), event(2), event(3), event(4));
    const next = await reconnect();
    const { request_id: id } = next.sent[0];
    next.deliver({ event_type: "replaying", thread_id: "T", from_seq: 2, to_seq: 4, request_id: id }, event(2));
    mock.timers.tick(1_000);
    assert.deepEqual(next.actions("ack").map((frame) => frame.cursors), [{ T: 2 }]);
  });

  test("does not acknowledge a thread whose position is being changed", async () => {
    const socket = await connect();
    socket.deliver(event(5));
    client.resume("T", 0);
    mock.timers.tick(1_000);
    assert.equal(socket.actions("ack").length, 0);
  });
});

describe("listeners", () => {
  test("one that throws harms neither the others nor the connection", async () => {
    const socket = await connect();
    const reported = [];
    globalThis.reportError = (error) => reported.push(error.message);
    try {
      client.on("event", () => {
        throw new Error("mine");
      });
      const later = [];
      client.on("event", ({ seq }) => later.push(seq));
      socket.deliver(event(1), event(2));
      assert.deepEqual(later, [1, 2]);
      assert.deepEqual(reported, ["mine", "mine"]);
    } finally {
      delete globalThis.reportError;
    }
  });

  test("on() returns how to stop listening", async () => {
    const socket = await connect();
    const heard = [];
    const stop = client.on("event", ({ seq }) => heard.push(seq));
    socket.deliver(event(1));
    stop();
    socket.deliver(event(2));
    assert.deepEqual(heard, [1]);
  });
});

describe("declarations", () => {
  const types = readFileSync(new URL("../../../netra/static/netra/netra-client.d.ts", import.meta.url), "utf8");
  const members = (kind, name) => {
    const [, body] = new RegExp(`export ${kind} ${name}[^{]*\\{\\n([^]*?)\\n\\}`).exec(types);
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?(<:]/gm)].map(([, member]) => member).sort();
  };

  test("name every member of the client, and no other", () => {
    assert.deepEqual(members("class", "NetraClient"), Object.getOwnPropertyNames(NetraClient.prototype).sort());
  });

  test("name every field of an error and of the status", () => {
    const error = new NetraError("x", "y", {});
    assert.deepEqual(members("class", "NetraError"), [...Object.keys(error).filter((key) => key !== "name"), "constructor"].sort());
    assert.deepEqual(members("interface", "ClientStatus"), Object.keys(new NetraClient({ WebSocket: ScriptedSocket }).status).sort());
  });

  test("name every event that is told", async () => {
    const source = ["netra-client.js", "client/cursors.js", "client/connection.js"]
      .map((file) => readFileSync(new URL(`../../../netra/static/netra/${file}`, import.meta.url), "utf8"))
      .join("");
    const told = new Set([...source.matchAll(/emit\("(\w+)"/g)].map(([, type]) => type));
    assert.deepEqual(members("interface", "ClientEvents"), [...told].sort());
  });
});
