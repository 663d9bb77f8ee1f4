/**
 * A client for Netra's WebSocket protocol, version 1. One file, no dependencies; works in browsers as it is, and
 * anywhere else that has (or is given) a WebSocket class.
 *
 *   import { NetraClient } from "./netra-client.js";
 *
 *   const client = new NetraClient();                       // the page's own server, session cookie
 *   client.on("event", (event, { replayed }) => show(event));
 *   client.connect();
 *   await client.start("test", { message: "hello" });
 *
 * What it takes care of, so that nobody else has to:
 *
 * - it comes back after every loss of the connection (backoff with jitter, the server's `retry_after_ms`), and stops
 *   when coming back is pointless: bad credentials, or frames the server will never accept;
 * - it resumes every thread it has seen at its cursor, so that no event is missed, and drops what was already seen, so
 *   that `event` fires once for each (thread_id, seq);
 * - it sees gaps and has them filled before anything after them is shown;
 * - it acknowledges what was handled, so that a slow page slows the server down instead of drowning;
 * - `start`, `stop` and `respond` survive a lost connection: they are sent again, which the protocol makes safe.
 */

const SUBPROTOCOLS = ["netra.v1.batch", "netra.v1"];
/** Closes that a new attempt with the same credentials and the same frames would only repeat. */
const FINAL_CLOSES = new Set([4400, 4401, 4403, 4413]);
/** "Later": too many connections, flooding. Coming back within a second would make it worse. */
const LATER_CLOSES = new Set([4409, 4429]);
/** Error frames that, without a request_id, announce a close and say why: reasons of close frames get lost. */
const FAREWELLS = new Set([
  "draining", "binary_frame", "unauthenticated", "token_expired", "session_revoked", "too_slow", "too_many_connections",
  "frame_too_large", "flooding",
]);
/** A resume refused with one of these may be asked again. */
const PASSING_CODES = new Set(["rate_limited", "journal_unavailable", "internal"]);
const LEGAL_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
const FIRST_EVENTS = new Set(["run_queued", "agent_started"]);
const TERMINAL_EVENTS = new Set(["agent_completed", "agent_failed", "agent_cancelled"]);
/** The server's own limits: a larger frame would cost the connection, more cursors the whole action. */
const MAX_FRAME_BYTES = 64 * 1024;
const MAX_CURSORS = 1000;

const DEFAULTS = {
  backoffMs: 500,
  maxBackoffMs: 30_000,
  laterMs: 20_000,
  stableMs: 5_000,
  keepAliveMs: 25_000,
  pongMs: 10_000,
  answerMs: 30_000,
  ackBytes: 128 * 1024,
  ackMs: 1_000,
};

/** An answer of the server that is an error, or a reason of the client's own (`closed`, `disconnected`, `timeout`). */
export class NetraError extends Error {
  constructor(code, message, frame = {}) {
    super(message || code);
    this.name = "NetraError";
    this.code = code;
    this.frame = frame;
    this.incident = frame.incident ?? null;
    this.retryAfterMs = frame.retry_after_ms ?? null;
  }
}

/** A fresh id for a thread or a run. Also works on plain-http pages, where `crypto.randomUUID` is missing. */
export function newId() {
  if (globalThis.crypto.randomUUID) return globalThis.crypto.randomUUID();
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The address of `/ws` on the page's own server. */
export function defaultUrl(location = globalThis.location) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
}

/**
 * What the client knows of one thread. `cursor` is the last seq handed to the application (what it has seen);
 * `position` is where the server stands on this connection, which is what an `ack` may name. They differ while
 * something that was seen before is sent again.
 */
class ThreadState {
  constructor(cursor) {
    this.cursor = cursor;
    this.position = cursor;
    this.replayTo = 0; // events up to here may have been seen in an earlier life of the application
    this.awaiting = null; // request_id of the resume that will set the position
    this.gapAt = null; // the cursor at which a gap was already reported to the server once
    this.unacked = false;
    this.waiters = []; // promises of `resume`
  }
}

export class NetraClient {
  #options;
  #handlers = new Map();
  #threads = new Map();
  #requests = new Map();
  #socket = null;
  #status = { state: "idle", attempt: 0, retryAt: null, code: null, closeCode: null, message: null };
  #life = 0; // counts connection attempts; what belongs to an older one must not touch a newer one
  #attempt = 0;
  #watched = "*";
  #renewed = false; // one fresh credential was already tried since the server last accepted us
  #farewell = null; // the last error frame of this socket: says why it is closed
  #lastHeard = 0;
  #requestNumber = 0;
  #unackedBytes = 0;
  #timers = {};
  #unlisten = null;

  constructor(options = {}) {
    this.#options = { ...DEFAULTS, random: Math.random, WebSocket: globalThis.WebSocket, ...options };
    for (const [threadId, cursor] of Object.entries(options.cursors ?? {})) {
      this.#threads.set(threadId, new ThreadState(cursor));
    }
  }

  // ---- the application's side -------------------------------------------------------------------------------------

  /** A copy of the last status handed to `status` handlers. */
  get status() {
    return { ...this.#status };
  }

  /** `{thread_id: last seq seen}`: keep it, give it to the next client as `cursors`, and nothing is missed. */
  get cursors() {
    return Object.fromEntries(Array.from(this.#threads, ([id, thread]) => [id, thread.cursor]));
  }

  /** Listen; returns a function that stops listening. A handler that throws is reported and harms nobody else. */
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.#handlers.get(type).delete(handler);
  }

  /** Connect, or connect again after `stopped` or `close()`. `token` replaces the one given before. */
  connect({ token } = {}) {
    if (token !== undefined) this.#options.token = token;
    if (["connecting", "open"].includes(this.#status.state)) return;
    this.#attempt = 0;
    this.#renewed = false;
    this.#listenToThePage();
    this.#open();
  }

  /** Close for good; what still waits for an answer is rejected with `closed`. Runs go on at the server. */
  close() {
    this.#end({ state: "closed", code: "closed", closeCode: null, message: null });
  }

  /** Check the connection now, or stop waiting and try now. For "try again" buttons and machines that woke up. */
  wake() {
    if (this.#status.state === "waiting") this.#open();
    else if (this.#status.state === "open") this.#probe();
  }

  /**
   * Start a run. Resolves with its first event (`agent_started` or `run_queued`), or with the frame that says it was
   * started before. Without a `runId` one is made, so sending the same start again can never start it twice.
   */
  start(agentType, input = {}, { threadId, runId = newId(), ifBusy } = {}) {
    const frame = { action: "start_agent", agent_type: agentType, input, run_id: runId };
    if (threadId !== undefined) frame.thread_id = threadId;
    if (ifBusy !== undefined) frame.if_busy = ifBusy;
    return this.#request(frame, {
      durable: true,
      isAnswer: (event) => event.run_id === runId && FIRST_EVENTS.has(event.event_type),
    });
  }

  /** Stop a run. Resolves with the event that ended it, rejects with `run_finished` or `not_found`. */
  stop(runId, reason) {
    const frame = { action: "stop_agent", run_id: runId, ...(reason !== undefined && { reason }) };
    return this.#request(frame, {
      durable: true,
      isAnswer: (event) => event.run_id === runId && TERMINAL_EVENTS.has(event.event_type),
    });
  }

  /** Decide an approval. Resolves with `approval_resolved`, rejects with `already_decided` (see `error.frame.decision`). */
  respond(runId, approvalId, approved, value) {
    const frame = { action: "respond", run_id: runId, approval_id: approvalId, approved };
    if (value !== undefined) frame.value = value;
    return this.#request(frame, {
      durable: true,
      isAnswer: (event) => event.event_type === "approval_resolved" && event.data.approval_id === approvalId,
    });
  }

  /**
   * Have a thread sent from after `cursor` (0: from its beginning), then live. Going backwards is allowed: the thread's
   * events come again, flagged `replayed`. Resolves with the `resumed` frame; connection losses only delay it.
   */
  resume(threadId, cursor = this.#threads.get(threadId)?.cursor ?? 0) {
    if (!LEGAL_ID.test(threadId)) return Promise.reject(new NetraError("invalid_action", "This is no thread's id"));
    const thread = this.#threads.get(threadId) ?? new ThreadState(cursor);
    thread.cursor = cursor;
    thread.gapAt = null;
    this.#threads.set(threadId, thread);
    const promise = new Promise((resolve, reject) => thread.waiters.push({ resolve, reject }));
    promise.catch(() => {}); // most callers follow the events instead; an end of the session is told by `status`
    if (this.#status.state === "open") this.#sendResume([threadId]);
    return promise;
  }

  /** Resume many threads with as few frames as possible, without waiting for the answers. */
  resumeAll(cursors) {
    for (const [threadId, cursor] of Object.entries(cursors)) {
      const thread = this.#threads.get(threadId) ?? new ThreadState(cursor);
      thread.cursor = cursor;
      this.#threads.set(threadId, thread);
    }
    if (this.#status.state === "open") this.#sendResume(Object.keys(cursors));
  }

  /** The user's threads, newest first; resolves with the `synced` frame. */
  sync({ limit, before } = {}) {
    const frame = { action: "sync", ...(limit !== undefined && { limit }), ...(before !== undefined && { before }) };
    return this.#request(frame);
  }

  /** Limit live events to these threads (a list, or "*"); resolves with the `watching` frame. */
  watch(threads = "*") {
    this.#watched = threads;
    return this.#request({ action: "watch", threads });
  }

  /** Renew the session with a fresh token of the same user; resolves with the `authenticated` frame. */
  authenticate(token) {
    return this.#request({ action: "authenticate", token });
  }

  /** Resolves with the `pong` frame. */
  ping(payload) {
    return this.#request({ action: "ping", ...(payload !== undefined && { payload }) });
  }

  // ---- connecting -------------------------------------------------------------------------------------------------

  async #open() {
    const life = ++this.#life;
    clearTimeout(this.#timers.retry);
    this.#setStatus({ state: "connecting", attempt: this.#attempt, retryAt: null });
    let socket;
    try {
      await this.#options.beforeConnect?.();
      const { url, protocols } = await this.#addressAndProtocols();
      if (life !== this.#life) return;
      socket = new this.#options.WebSocket(url, protocols);
    } catch (error) {
      if (life !== this.#life) return;
      // A hook of the application says "never again" with a NetraError; anything else may be the network.
      if (error instanceof NetraError) {
        this.#end({ state: "stopped", code: error.code, closeCode: null, message: error.message });
        return;
      }
      this.#retryLater({ code: "unreachable", message: error.message });
      return;
    }
    this.#socket = socket;
    this.#farewell = null;
    socket.onopen = () => this.#opened();
    socket.onmessage = (message) => this.#received(message.data);
    socket.onclose = (close) => this.#closed(close.code);
  }

  async #addressAndProtocols() {
    const { token, ticket } = this.#options;
    let url = this.#options.url ?? defaultUrl();
    const protocols = [...SUBPROTOCOLS];
    // Browsers cannot set headers on a WebSocket: a token travels as a subprotocol, which is not logged as URLs are.
    const bearer = typeof token === "function" ? await token() : token;
    if (bearer) protocols.push(`bearer.${bearer}`);
    else if (ticket) url += `${url.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(await ticket())}`;
    return { url, protocols };
  }

  #opened() {
    this.#lastHeard = Date.now();
    this.#unackedBytes = 0;
    this.#timers.stable = setTimeout(() => (this.#attempt = 0), this.#options.stableMs);
    this.#timers.keepAlive = setInterval(() => {
      if (Date.now() - this.#lastHeard >= this.#options.keepAliveMs) this.#probe();
    }, this.#options.keepAliveMs);
    // The resume must be the first action: it is what makes the server start each thread where we left it.
    for (const thread of this.#threads.values()) thread.unacked = false;
    this.#sendResume([...this.#threads.keys()]);
    if (this.#watched !== "*") this.#transmit(JSON.stringify({ action: "watch", threads: this.#watched }));
    for (const request of this.#requests.values()) this.#transmit(request.text);
    this.#setStatus({ state: "open", attempt: this.#attempt, retryAt: null, code: null, closeCode: null, message: null });
  }

  #closed(closeCode) {
    this.#letGo();
    const { code = null, message = null } = this.#farewell ?? {};
    this.#rejectRequests(new NetraError("disconnected", "The connection was lost"), (request) => !request.durable);
    const renewable = typeof this.#options.token === "function" || this.#options.ticket;
    if (closeCode === 4401 && renewable && !this.#renewed) {
      this.#renewed = true; // the function is asked for fresh credentials; a second refusal in a row is final
      this.#open();
    } else if (FINAL_CLOSES.has(closeCode)) {
      this.#end({ state: "stopped", code: code ?? "refused", closeCode, message });
    } else {
      this.#retryLater({ code, closeCode, message }, this.#farewell?.retry_after_ms);
    }
  }

  #retryLater(why, retryAfterMs) {
    const { backoffMs, maxBackoffMs, laterMs, random } = this.#options;
    const ceiling = Math.min(maxBackoffMs, backoffMs * 2 ** this.#attempt);
    // Half fixed, half random: many clients that lost the same server must not come back in one wave.
    let delay = ceiling / 2 + (random() * ceiling) / 2;
    if (LATER_CLOSES.has(why.closeCode)) delay += laterMs;
    delay = retryAfterMs ?? delay; // the server has already spread its clients
    this.#attempt += 1;
    this.#setStatus({ state: "waiting", attempt: this.#attempt, retryAt: Date.now() + delay, ...why });
    this.#timers.retry = setTimeout(() => this.#open(), delay);
  }

  /** Stop for good (`stopped`: the server said so; `closed`: the application did). */
  #end(status) {
    this.#life += 1;
    this.#letGo(1000);
    clearTimeout(this.#timers.retry);
    this.#unlisten?.();
    this.#unlisten = null;
    this.#setStatus({ attempt: 0, retryAt: null, ...status });
    const error = new NetraError(status.code, status.message ?? "The connection is closed", this.#farewell ?? {});
    this.#rejectRequests(error, () => true);
    for (const thread of this.#threads.values()) {
      for (const waiter of thread.waiters.splice(0)) waiter.reject(error);
    }
  }

  /** Forget the socket at once. A dead connection's own close handshake can take a browser a minute. */
  #letGo(code) {
    clearTimeout(this.#timers.stable);
    clearTimeout(this.#timers.pong);
    clearTimeout(this.#timers.ack);
    clearInterval(this.#timers.keepAlive);
    this.#timers.ack = this.#timers.pong = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code !== undefined || socket.readyState < 2) socket.close(code);
  }

  /** Ask for a sign of life. The server's own pings are invisible to a page, and a cut cable closes nothing. */
  #probe() {
    if (this.#timers.pong) return;
    const asked = Date.now();
    this.#transmit(JSON.stringify({ action: "ping" }));
    this.#timers.pong = setTimeout(() => {
      this.#timers.pong = null;
      if (this.#lastHeard < asked) this.#closed(1006);
    }, this.#options.pongMs);
  }

  #listenToThePage() {
    if (this.#unlisten || typeof globalThis.addEventListener !== "function") return;
    const wake = () => this.wake();
    const wakeIfVisible = () => globalThis.document?.visibilityState === "visible" && this.wake();
    globalThis.addEventListener("online", wake);
    globalThis.document?.addEventListener("visibilitychange", wakeIfVisible);
    this.#unlisten = () => {
      globalThis.removeEventListener("online", wake);
      globalThis.document?.removeEventListener("visibilitychange", wakeIfVisible);
    };
  }

  #setStatus(change) {
    this.#status = { ...this.#status, ...change };
    this.#emit("status", this.status);
  }

  // ---- sending ----------------------------------------------------------------------------------------------------

  /**
   * Send an action and promise its answer. A durable one waits for a connection and is sent again on the next; the
   * others are about this connection only and fail with it.
   */
  #request(frame, { durable = false, isAnswer = null } = {}) {
    const requestId = this.#nextRequestId();
    const text = JSON.stringify({ ...frame, request_id: requestId });
    const { state, code, message } = this.#status;
    if (text.length * 3 > MAX_FRAME_BYTES && new TextEncoder().encode(text).length > MAX_FRAME_BYTES) {
      return Promise.reject(new NetraError("too_large", "This is larger than the 64 KiB the server accepts at once"));
    }
    if (state === "stopped" || state === "closed") {
      return Promise.reject(new NetraError(code ?? state, message ?? "The connection is closed"));
    }
    return new Promise((resolve, reject) => {
      const request = { text, durable, isAnswer, resolve, reject, timer: null };
      if (!durable) {
        const late = () => this.#settle(requestId, "reject", new NetraError("timeout", "The server did not answer in time"));
        request.timer = setTimeout(late, this.#options.answerMs);
      }
      this.#requests.set(requestId, request);
      if (state === "open") this.#transmit(text);
    });
  }

  #sendResume(threadIds) {
    for (let start = 0; start < threadIds.length; start += MAX_CURSORS) {
      const requestId = this.#nextRequestId("resume");
      const cursors = {};
      for (const threadId of threadIds.slice(start, start + MAX_CURSORS)) {
        const thread = this.#threads.get(threadId);
        thread.awaiting = requestId;
        cursors[threadId] = thread.cursor;
      }
      this.#transmit(JSON.stringify({ action: "resume", cursors, request_id: requestId }));
    }
  }

  #nextRequestId(prefix = "request") {
    this.#requestNumber += 1;
    return `${prefix}-${this.#requestNumber}`;
  }

  #transmit(text) {
    // A socket that is closing under us is no error: its close event follows, and durable requests are sent again.
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  #noteHandled(size) {
    this.#unackedBytes += size;
    if (this.#unackedBytes >= this.#options.ackBytes) this.#acknowledge();
    else this.#timers.ack ??= setTimeout(() => this.#acknowledge(), this.#options.ackMs);
  }

  #acknowledge() {
    clearTimeout(this.#timers.ack);
    this.#timers.ack = null;
    this.#unackedBytes = 0;
    const cursors = {};
    let count = 0;
    for (const [threadId, thread] of this.#threads) {
      // While a resume is on its way the server's position is not known; acknowledging the old one would be refused.
      if (!thread.unacked || thread.awaiting || count === MAX_CURSORS) continue;
      cursors[threadId] = thread.position;
      thread.unacked = false;
      count += 1;
    }
    if (count) this.#transmit(JSON.stringify({ action: "ack", cursors }));
  }

  // ---- receiving --------------------------------------------------------------------------------------------------

  #received(text) {
    this.#lastHeard = Date.now();
    const message = JSON.parse(text);
    let journalled = false;
    for (const frame of Array.isArray(message) ? message : [message]) {
      if (typeof frame.seq === "number") {
        journalled = true;
        this.#onEvent(frame);
      } else {
        this.#onControl(frame);
      }
    }
    if (journalled) this.#noteHandled(text.length);
  }

  #onEvent(event) {
    const { thread_id: threadId, seq } = event;
    let thread = this.#threads.get(threadId);
    if (!thread) {
      // A thread we did not ask for begins where it stood when we connected.
      thread = new ThreadState(seq - 1);
      this.#threads.set(threadId, thread);
    }
    if (thread.awaiting) return; // sent before our resume was read: the replay that follows contains it
    thread.position = seq;
    thread.unacked = true;
    if (seq <= thread.cursor) return;
    if (seq > thread.cursor + 1 && this.#askForGap(threadId, thread, seq)) return;
    thread.cursor = seq;
    this.#emit("event", event, { replayed: seq <= thread.replayTo });
    this.#answerByEvent(event);
  }

  /** What lies before `next` is missing. Asked for once; if it still is missing then, the application must know. */
  #askForGap(threadId, thread, next) {
    if (thread.gapAt === thread.cursor) {
      this.#emit("gap", { threadId, from: thread.cursor + 1, to: next - 1 });
      return false;
    }
    thread.gapAt = thread.cursor;
    this.#sendResume([threadId]);
    return true;
  }

  #answerByEvent(event) {
    // By what happened, not by `data.request_id`: another tab's client numbers its requests in the same way.
    for (const [requestId, request] of this.#requests) {
      if (request.isAnswer?.(event)) this.#settle(requestId, "resolve", event);
    }
  }

  #onControl(frame) {
    if (frame.event_type !== "error") this.#renewed = false;
    switch (frame.event_type) {
      case "error":
        this.#onError(frame);
        break;
      case "replaying":
        this.#onReplaying(frame);
        break;
      case "resumed":
        this.#onResumed(frame);
        break;
      case "session_expiring":
        this.#emit("session_expiring", frame);
        this.#renewSession();
        break;
    }
    this.#emit("control", frame);
    if (frame.event_type !== "error" && frame.request_id !== undefined) {
      this.#settle(frame.request_id, "resolve", frame);
    }
  }

  #onReplaying(frame) {
    let thread = this.#threads.get(frame.thread_id);
    if (!thread) {
      thread = new ThreadState(frame.from_seq - 1);
      this.#threads.set(frame.thread_id, thread);
    }
    if (!this.#isAwaited(thread, frame)) return;
    thread.awaiting = null;
    thread.position = frame.from_seq - 1;
    thread.replayTo = frame.to_seq;
    this.#emit("replaying", { threadId: frame.thread_id, from: frame.from_seq, to: frame.to_seq });
  }

  #onResumed(frame) {
    const thread = this.#threads.get(frame.thread_id);
    if (!thread || !this.#isAwaited(thread, frame)) return;
    thread.awaiting = null;
    thread.position = frame.last_seq;
    if (frame.last_seq > thread.cursor) {
      if (this.#askForGap(frame.thread_id, thread, frame.last_seq + 1)) return;
      thread.cursor = frame.last_seq;
    }
    this.#emit("resumed", frame);
    for (const waiter of thread.waiters.splice(0)) waiter.resolve(frame);
  }

  /**
   * Answers to a resume that a newer one has replaced must not end the wait for the newer one's answer. A repeated
   * `start` of a known run repositions the thread too, under its own request_id; should that leave a gap, it is mended.
   */
  #isAwaited(thread, { request_id: requestId }) {
    return !thread.awaiting || requestId === thread.awaiting || !String(requestId).startsWith("resume-");
  }

  #onError(frame) {
    if (frame.request_id === undefined && FAREWELLS.has(frame.code)) this.#farewell = frame;
    const error = new NetraError(frame.code, frame.message, frame);
    if (this.#mendResume(frame)) return;
    const answered = frame.request_id !== undefined && this.#settle(frame.request_id, "reject", error);
    if (!answered) this.#emit("error", error);
  }

  /** Errors that answer a resume; true when dealt with. The application only hears of what it cannot get any more. */
  #mendResume(frame) {
    const affected = [...this.#threads].filter(
      ([id, thread]) => frame.request_id !== undefined && thread.awaiting === frame.request_id
        && (frame.thread_id === undefined || frame.thread_id === id),
    );
    for (const [threadId, thread] of affected) {
      if (frame.code === "cursor_expired") {
        this.#emit("gap", { threadId, from: thread.cursor + 1, to: frame.first_seq - 1 });
        thread.cursor = frame.first_seq - 1;
        this.#sendResume([threadId]);
      } else if (frame.code === "invalid_cursor" && frame.last_seq !== undefined) {
        // We are ahead of the thread: it is not the one we knew (deleted, or another server's). Begin anew.
        this.#emit("reset", { threadId, lastSeq: frame.last_seq });
        thread.cursor = 0;
        this.#sendResume([threadId]);
      }
    }
    if (!affected.length || ["cursor_expired", "invalid_cursor"].includes(frame.code)) return affected.length > 0;
    if (!PASSING_CODES.has(frame.code)) {
      const error = new NetraError(frame.code, frame.message, frame);
      for (const [, thread] of affected) {
        thread.awaiting = null;
        for (const waiter of thread.waiters.splice(0)) waiter.reject(error);
      }
      return false;
    }
    const life = this.#life; // the threads stay where they were; a new connection asks by itself
    setTimeout(() => {
      const waiting = affected.filter(([, thread]) => thread.awaiting === frame.request_id).map(([id]) => id);
      if (life === this.#life && waiting.length) this.#sendResume(waiting);
    }, frame.retry_after_ms ?? 2 * this.#options.backoffMs * (1 + this.#options.random()));
    return true;
  }

  async #renewSession() {
    const { token } = this.#options;
    if (typeof token !== "function") return; // a cookie is renewed by logging in; only the application can ask for that
    try {
      await this.authenticate(await token());
    } catch (error) {
      this.#emit("error", error);
    }
  }

  // ---- bookkeeping ------------------------------------------------------------------------------------------------

  #settle(requestId, how, value) {
    const request = this.#requests.get(requestId);
    if (!request) return false;
    clearTimeout(request.timer);
    this.#requests.delete(requestId);
    request[how](value);
    return true;
  }

  #rejectRequests(error, which) {
    for (const [requestId, request] of this.#requests) {
      if (which(request)) this.#settle(requestId, "reject", error);
    }
  }

  #emit(type, ...values) {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      try {
        handler(...values);
      } catch (error) {
        if (globalThis.reportError) globalThis.reportError(error);
        else console.error(error);
      }
    }
  }
}
