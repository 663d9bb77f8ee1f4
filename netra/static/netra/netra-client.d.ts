/**
 * Types and reference of `netra-client.js`. The frames are those of Netra's wire protocol, version 1.
 *
 *   import { NetraClient } from "./netra-client.js";       // imports its siblings in `client/`
 *
 *   const client = new NetraClient();                       // the page's own server, session cookie
 *   client.on("event", (event, { replayed }) => show(event));
 *   client.connect();
 *   await client.start("test", { message: "hello" });
 *
 * What the client does for the application:
 *
 * - it reconnects after every lost connection (backoff with jitter, the server's `retry_after_ms`), and stops
 *   when that is pointless: bad credentials, frames the server will never accept, options that make no valid socket;
 * - no wait is endless: an attempt to connect, with its hooks, is given up after `connectMs` and made
 *   again, and every promise is settled. Only `start`, `stop`, `respond` and `resume` wait for as long as there
 *   is no connection, since they are made on the next one; `close()` ends that too;
 * - it splits requests into frames that the server accepts, and leaves out only the invalid cursors and ids;
 * - it resumes every thread it has seen at its cursor, so that no event is missed, and drops known events, so
 *   that `event` fires once for each (thread_id, seq);
 * - it detects gaps and fills them before it passes on later events;
 * - it acknowledges handled events, so that the server slows down for a slow page;
 * - `start`, `stop` and `respond` survive a lost connection: they are sent again, which the protocol makes safe.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type RunStatus = "queued" | "running" | "waiting" | "completed" | "failed" | "cancelled";
export type ToolStatus = "ok" | "error" | "denied" | "cancelled";

/** The usage of one model call. Agents may add fields of their own. */
export interface UsageEntry {
  provider?: string;
  model?: string;
  input_tokens?: number;
  output_tokens?: number;
  total_tokens?: number;
  reasoning_tokens?: number;
  cached_input_tokens?: number;
  cache_write_input_tokens?: number;
}

/** A list with an entry for each model call; events of older versions hold one object. */
export type Usage = UsageEntry[] | UsageEntry;

/** `data` of each journalled event. */
export interface EventData {
  agent_started: { agent_type: string; input: Json; request_id?: string };
  agent_thinking: { delta: string; stream: string };
  tool_executing: { tool_call_id: string; tool_name: string; arguments: Json };
  tool_completed: {
    tool_call_id: string;
    tool_name: string;
    status: ToolStatus;
    result?: Json;
    error?: string;
    duration_ms: number;
  };
  agent_completed: { result: Json; usage?: Usage; finish_reason?: string; duration_ms: number };
  /** `last`: the message is complete; its `delta` may be empty. */
  agent_message: { message_id: string; delta: string; last?: true };
  agent_state: { state: Json };
  /** Data with the same `name` and `id` replaces the earlier one. `transient`: not part of folded histories. */
  agent_data: { name: string; data: Json; id?: string; transient?: true };
  approval_requested: {
    approval_id: string;
    tool_call_id: string | null;
    tool_name: string | null;
    arguments: Json;
    message: string;
    expires_at: string;
    /** `tool`: the page runs a tool and sends its result as `value`; `input`: a person enters a `value`. Default: `approval`. */
    kind?: "approval" | "tool" | "input";
    /** JSON Schema of the answer, or of the arguments that may be edited. */
    schema?: Json;
    /** Default: `approve` and `reject`. */
    decisions?: ("approve" | "edit" | "reject")[];
    /** Another request of the same batch follows directly. */
    more?: true;
  };
  approval_resolved: {
    approval_id: string;
    approved: boolean;
    value: Json;
    by: "user" | "expired" | "cancelled";
    /** The edits. */
    arguments?: Json;
  };
  run_queued: { position: number; request_id?: string };
  agent_failed: { code: string; message: string; retried_as?: string; retry_after_ms?: number; usage?: Usage };
  agent_cancelled: { reason: string; usage?: Usage };
}

/** A journalled event. `(thread_id, seq)` is its permanent id. */
export type NetraEvent = {
  [Type in keyof EventData]: {
    event_type: Type;
    thread_id: string;
    run_id: string;
    seq: number;
    /** UTC, with microseconds. */
    timestamp: string;
    data: EventData[Type];
  };
}[keyof EventData];

export interface ReplayingFrame {
  event_type: "replaying";
  thread_id: string;
  from_seq: number;
  to_seq: number;
  epoch?: string;
  request_id?: string;
}

export interface ResumedFrame {
  event_type: "resumed";
  thread_id: string;
  last_seq: number;
  run_id: string | null;
  run_status: RunStatus | null;
  epoch?: string;
  request_id?: string;
}

export interface ThreadSummary {
  thread_id: string;
  title: string;
  last_seq: number;
  active_run_id: string | null;
  updated_at: string;
}

export interface SyncedFrame {
  event_type: "synced";
  threads: ThreadSummary[];
  epoch?: string;
  request_id?: string;
}

export interface WatchingFrame {
  event_type: "watching";
  threads: string[] | "*";
  request_id?: string;
}

export interface AuthenticatedFrame {
  event_type: "authenticated";
  expires_at: string;
  request_id?: string;
}

export interface SessionExpiringFrame {
  event_type: "session_expiring";
  expires_at: string;
}

/** What the site's own code pushes (`netra.push`). Live only: it is not stored or sent again later. */
export interface NoticeFrame {
  event_type: "notice";
  name: string;
  data: Json;
}

export interface PongFrame {
  event_type: "pong";
  payload: Json;
  request_id?: string;
}

export interface ErrorFrame {
  event_type: "error";
  code: string;
  message: string;
  request_id?: string;
  field?: string;
  thread_id?: string;
  run_id?: string;
  /** With `thread_busy`. */
  active_run_id?: string;
  /** With `already_decided`. */
  decision?: { approved: boolean; value: Json; arguments?: Json };
  /** With `cursor_expired`. */
  first_seq?: number;
  /** With `cursor_expired` because of another epoch. */
  epoch?: string;
  /** With `invalid_cursor`. */
  last_seq?: number;
  retry_after_ms?: number;
  incident?: string;
}

/** Any frame without a `seq`: those of version 1. A newer server may send others; ignore them. */
export type ControlFrame =
  | ReplayingFrame
  | ResumedFrame
  | SyncedFrame
  | WatchingFrame
  | AuthenticatedFrame
  | SessionExpiringFrame
  | NoticeFrame
  | PongFrame
  | ErrorFrame;

type EventOf<Type extends keyof EventData> = Extract<NetraEvent, { event_type: Type }>;

/** The answer to a start: the run's first event, or the frame that says that it was started before. */
export type Started = EventOf<"run_queued"> | EventOf<"agent_started"> | ReplayingFrame | ResumedFrame;

/** How a run ended. */
export type Ended = EventOf<"agent_completed"> | EventOf<"agent_failed"> | EventOf<"agent_cancelled">;

/** By thread. An object, or a `Map`. */
export type CursorsByThread = Readonly<Record<string, number>> | ReadonlyMap<string, number>;

/** `signal` is aborted when the attempt is given up; `fetch` takes it. */
export interface Attempt {
  signal: AbortSignal;
}

export interface ClientStatus {
  /** `stopped`: the server will not accept us (see `code`); `closed`: `close()` was called. */
  state: "idle" | "connecting" | "open" | "waiting" | "stopped" | "closed";
  /** Attempts since the connection was last stable. */
  attempt: number;
  /** In `waiting`: when the next attempt is made, in milliseconds since the epoch. */
  retryAt: number | null;
  /**
   * Why the last connection or attempt ended, where known: an error code of the protocol (`draining`, `session_revoked`,
   * …) or one of the client's own (see `NetraError`).
   */
  code: string | null;
  closeCode: number | null;
  message: string | null;
}

export interface ClientOptions {
  /** Default: `/ws` on the page's own host. */
  url?: string;
  /**
   * Bearer token, or a function that returns a fresh one. Without it and `ticket`, the session cookie is used.
   * Outer spaces are removed. One that cannot be a subprotocol (with `/` or `=`, say) ends in `stopped`,
   * `invalid_token`: such tokens need a `ticket`.
   */
  token?: string | ((attempt?: Attempt) => string | Promise<string>);
  /** Returns a single-use ticket (`POST /api/tickets`) for every connection. */
  ticket?: (attempt: Attempt) => string | Promise<string>;
  /** The `cursors` of an earlier client. Invalid ones are left out and reported as an `error`. */
  cursors?: CursorsByThread;
  /** The earlier client's `epoch`, to which those cursors belong. */
  epoch?: string | null;
  /** Runs before every attempt. Throw a `NetraError` to stop for good, anything else to try later. */
  beforeConnect?: (attempt: Attempt) => unknown;
  /** Default: the global `WebSocket`, built in since Node 22; for an older Node, that of the package `ws`. */
  WebSocket?: unknown;
  random?: () => number;
  /** First and longest wait between attempts; half of each is random. */
  backoffMs?: number;
  maxBackoffMs?: number;
  /** Added after `too_many_connections` and `flooding`, also to a time the server names. */
  laterMs?: number;
  /** How long an attempt may take: hooks, credentials and handshake together. It is then given up and repeated. */
  connectMs?: number;
  /** The minimum time between attempts by `wake()`. */
  wakeMs?: number;
  /** A connection that lived this long resets the backoff. */
  stableMs?: number;
  /** Silence after which the client sends a ping (at most half of it later), and how long the answer may take. */
  keepAliveMs?: number;
  pongMs?: number;
  /**
   * How long `sync`, `watch`, `authenticate` and `ping` wait for their answer. A `start`, `stop` or `respond` is sent again
   * after it and given up after twice as long, a `resume` when its thread is silent for so long; without a connection
   * their time stands still.
   */
  answerMs?: number;
  /** While `watch` limits events, a `stop` or `respond` is sent again after this time: its event may not come. */
  repeatMs?: number;
  /** Flow control: acknowledge after this much text or time, whichever comes first. */
  ackBytes?: number;
  ackMs?: number;
}

export interface ClientEvents {
  /** Once for each (thread_id, seq), in order. `replayed`: it may have been seen before; trigger no effects. */
  event: (event: NetraEvent, meta: { replayed: boolean }) => void;
  status: (status: ClientStatus) => void;
  /** This thread's next events up to `to` are a replay. */
  replaying: (replay: { threadId: string; from: number; to: number }) => void;
  /** The replay of a thread is over. */
  resumed: (frame: ResumedFrame) => void;
  /** These events are no longer available. The server deletes old events. */
  gap: (gap: { threadId: string; from: number; to: number }) => void;
  /**
   * The thread is not the known one (it was deleted, or the journal is of another epoch since a backup was restored); it
   * is sent from its beginning. Discard its events. `lastSeq`: its head, 0 if that is unknown.
   */
  reset: (reset: { threadId: string; lastSeq: number }) => void;
  session_expiring: (frame: SessionExpiringFrame) => void;
  /** What the site's own code pushed. */
  notice: (frame: NoticeFrame) => void;
  /** Errors that answer no promise; with `frame.thread_id` those about one thread, such as a cursor that was left out. */
  error: (error: NetraError) => void;
  /** Every frame without a `seq`. */
  control: (frame: ControlFrame) => void;
}

/** An error answer of the server, or an error of the client itself. */
export class NetraError extends Error {
  constructor(code: string, message?: string, frame?: Partial<ErrorFrame>);
  /**
   * An error code of the protocol, or the client's own: `closed` (by `close()`), `disconnected` (before the answer came),
   * `timeout` (no answer in time), `refused` (an unexplained close), `unreachable` (a hook failed), `too_large`
   * and `invalid_action` (never sent), `forgotten` (by `forget()`), and those that end in `stopped` because retries
   * cannot help: `unsupported` (no `WebSocket`), `invalid_token`, `invalid_url`. No message holds a token.
   */
  readonly code: string;
  readonly frame: Partial<ErrorFrame>;
  readonly incident: string | null;
  readonly retryAfterMs: number | null;
}

export class NetraClient {
  constructor(options?: ClientOptions);

  /** A copy of the last status handed to `status` handlers. */
  readonly status: ClientStatus;

  /** `{thread_id: last seq seen}`: store it and pass it to the next client as `cursors`. */
  readonly cursors: Record<string, number>;

  /** Of the journal that the cursors belong to; store it with them, for the next client's `epoch`. */
  readonly epoch: string | null;

  /**
   * Listen; returns a function that stops listening. A function registered twice is called twice, until both are
   * removed. A handler that throws is reported; the others still run.
   */
  on<Type extends keyof ClientEvents>(type: Type, handler: ClientEvents[Type]): () => void;

  /**
   * Connect, or connect again after `stopped` or `close()`; while it waits or connects, as `wake()`. `token` replaces the
   * one given before.
   */
  connect(options?: { token?: ClientOptions["token"] }): void;

  /** Close; pending promises are rejected with `closed`. Runs continue on the server. */
  close(): void;

  /**
   * Check the connection now, or stop waiting and try now; an attempt that is under way is given up for a new one. For
   * "try again" buttons and machines that woke up. It keeps to a time that the server has named, and to
   * `wakeMs` between attempts: an earlier call is delayed. After `stopped` and `close()` it does nothing.
   */
  wake(): void;

  /**
   * Start a run. Resolves with its first event (`agent_started` or `run_queued`), or with the frame that says it was
   * started before. `input`: any JSON value. A missing `runId` is generated, so a start that is sent again never starts it twice.
   */
  start(
    agentType: string,
    input?: unknown,
    options?: { threadId?: string; runId?: string; ifBusy?: "enqueue" | "reject" | "cancel" },
  ): Promise<Started>;

  /**
   * Stop a run. Resolves with the event that ended it, rejects with `run_finished` or `not_found`. When it had to be sent
   * again (after a loss, or because the thread is not watched), `run_finished` is a success: it resolves.
   */
  stop(runId: string, reason?: string): Promise<Ended | ErrorFrame>;

  /**
   * Decide an approval. Resolves with `approval_resolved`, rejects with `already_decided` (`error.frame.decision`). When it
   * had to be sent again and that is the decision, it resolves with the frame that says so. `arguments`: the edited ones,
   * where the request's `decisions` name `edit`.
   */
  respond(
    runId: string,
    approvalId: string,
    approved: boolean,
    value?: unknown,
    options?: { arguments?: Record<string, unknown> | unknown[] },
  ): Promise<EventOf<"approval_resolved"> | ErrorFrame>;

  /**
   * Replay a thread from after `cursor` (0: from its beginning; absent: this client's cursor), then live. Going
   * backwards is allowed: the thread's events come again, flagged `replayed`. Resolves with the `resumed` frame;
   * connection losses only delay it. After `stopped` and `close()` it is rejected at once.
   */
  resume(threadId: string, cursor?: number): Promise<ResumedFrame>;

  /**
   * Resume many threads with as few frames as possible, without waiting for the answers. Pass stored cursors to
   * the options of a new client instead, with their `epoch`.
   */
  resumeAll(cursors: CursorsByThread): void;

  /**
   * Drop a thread from `cursors`: it is not resumed on later connections. A later event from the server
   * makes it known again, from that event on; `watch` prevents that.
   */
  forget(threadId: string): void;

  /** The user's threads, newest first. */
  sync(options?: { limit?: number; before?: string }): Promise<SyncedFrame>;

  /**
   * Limit live events to these threads (a list, or "*"), and those that are resumed or started in later; repeated on every
   * new connection. Rejected with `too_large` when they do not fit into one frame (1,000 ids, 64 KiB).
   */
  watch(threads?: readonly string[] | "*"): Promise<WatchingFrame>;

  /**
   * Renew the session with a fresh token of the same user; later connections use it, unless `token` or `ticket`
   * is a function, which is asked again. A client with a `token` function does all this by itself.
   */
  authenticate(token: string): Promise<AuthenticatedFrame>;

  ping(payload?: unknown): Promise<PongFrame>;
}

/** A fresh id for a thread or a run. */
export function newId(): string;

/** The address of the socket on the page's own server: set by `{% netra_client %}` in the page, else `/ws`. */
export function defaultUrl(location?: { protocol: string; host: string }): string;
