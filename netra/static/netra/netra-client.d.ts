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
 * What the client takes care of, so that nobody else has to:
 *
 * - it comes back after every loss of the connection (backoff with jitter, the server's `retry_after_ms`), and stops
 *   when coming back is pointless: bad credentials, or frames the server will never accept;
 * - it resumes every thread it has seen at its cursor, so that no event is missed, and drops what was already seen, so
 *   that `event` fires once for each (thread_id, seq);
 * - it sees gaps and has them filled before anything after them is shown;
 * - it acknowledges what was handled, so that a slow page slows the server down instead of drowning;
 * - `start`, `stop` and `respond` survive a lost connection: they are sent again, which the protocol makes safe.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type RunStatus = "queued" | "running" | "waiting" | "completed" | "failed" | "cancelled";
export type ToolStatus = "ok" | "error" | "denied" | "cancelled";

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
  agent_completed: { result: Json; usage?: Json; finish_reason?: string; duration_ms: number };
  agent_message: { message_id: string; delta: string };
  agent_state: { state: Json };
  approval_requested: {
    approval_id: string;
    tool_call_id: string | null;
    tool_name: string | null;
    arguments: Json;
    message: string;
    expires_at: string;
  };
  approval_resolved: { approval_id: string; approved: boolean; value: Json; by: "user" | "expired" | "cancelled" };
  run_queued: { position: number; request_id?: string };
  agent_failed: { code: string; message: string; retried_as?: string; retry_after_ms?: number; usage?: Json };
  agent_cancelled: { reason: string; usage?: Json };
}

/** A journalled event. `(thread_id, seq)` names it for ever. */
export type NetraEvent = {
  [Type in keyof EventData]: {
    event_type: Type;
    thread_id: string;
    run_id: string;
    seq: number;
    /** UTC, six digits of a second. */
    timestamp: string;
    data: EventData[Type];
  };
}[keyof EventData];

export interface ResumedFrame {
  event_type: "resumed";
  thread_id: string;
  last_seq: number;
  run_id: string | null;
  run_status: RunStatus | null;
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
  request_id?: string;
}

/** Any frame without a `seq`. */
export interface ControlFrame {
  event_type: string;
  request_id?: string;
  [field: string]: unknown;
}

export interface ClientStatus {
  /** `stopped`: the server refuses us for good (see `code`); `closed`: `close()` was called. */
  state: "idle" | "connecting" | "open" | "waiting" | "stopped" | "closed";
  /** Attempts since the connection was last stable. */
  attempt: number;
  /** In `waiting`: when the next attempt is made, in milliseconds since the epoch. */
  retryAt: number | null;
  /** Why the last connection ended, where known: `draining`, `session_revoked`, `too_slow`, … */
  code: string | null;
  closeCode: number | null;
  message: string | null;
}

export interface ClientOptions {
  /** Default: `/ws` on the page's own host. */
  url?: string;
  /** Bearer token, or a function that gives a fresh one; without it (and without `ticket`) the session cookie counts. */
  token?: string | (() => string | Promise<string>);
  /** Gives a single-use ticket (`POST /api/tickets`) for every connection. */
  ticket?: () => string | Promise<string>;
  /** Where an earlier client stood: its `cursors`. */
  cursors?: Record<string, number>;
  /** Runs before every attempt. Throw a `NetraError` to stop for good, anything else to try later. */
  beforeConnect?: () => void | Promise<void>;
  /** Default: the global `WebSocket`. */
  WebSocket?: unknown;
  random?: () => number;
  /** First and longest wait between attempts; each is half fixed, half random. */
  backoffMs?: number;
  maxBackoffMs?: number;
  /** Added after `too_many_connections` and `flooding`. */
  laterMs?: number;
  /** A connection that lived this long resets the backoff. */
  stableMs?: number;
  /** Silence after which a sign of life is asked for, and how long it may take. */
  keepAliveMs?: number;
  pongMs?: number;
  /** How long `sync`, `watch`, `authenticate` and `ping` wait for their answer. */
  answerMs?: number;
  /** Flow control: acknowledge after this much text or time, whichever comes first. */
  ackBytes?: number;
  ackMs?: number;
}

export interface ClientEvents {
  /** Once for each (thread_id, seq), in order. `replayed`: it may have been seen before; trigger no effects. */
  event: (event: NetraEvent, meta: { replayed: boolean }) => void;
  status: (status: ClientStatus) => void;
  /** What follows for this thread up to `to` is a replay. */
  replaying: (replay: { threadId: string; from: number; to: number }) => void;
  /** The replay of a thread is over. */
  resumed: (frame: ResumedFrame) => void;
  /** These events cannot be had any more (older than the server keeps them). */
  gap: (gap: { threadId: string; from: number; to: number }) => void;
  /** The thread is not the one we knew; it is sent from its beginning. Throw away what you have of it. */
  reset: (reset: { threadId: string; lastSeq: number }) => void;
  session_expiring: (frame: ControlFrame) => void;
  /** Errors that answer no promise. */
  error: (error: NetraError) => void;
  /** Every frame without a `seq`. */
  control: (frame: ControlFrame) => void;
}

/** An answer of the server that is an error, or a reason of the client's own. */
export class NetraError extends Error {
  constructor(code: string, message?: string, frame?: Partial<ControlFrame>);
  /**
   * An error code of the protocol, or the client's own: `closed` (by `close()`), `disconnected` (before the answer came),
   * `timeout`, `refused` (a close nobody explained), `unreachable`, `too_large` (never sent).
   */
  readonly code: string;
  readonly frame: Partial<ControlFrame>;
  readonly incident: string | null;
  readonly retryAfterMs: number | null;
}

export class NetraClient {
  constructor(options?: ClientOptions);

  /** A copy of the last status handed to `status` handlers. */
  readonly status: ClientStatus;

  /** `{thread_id: last seq seen}`: keep it, give it to the next client as `cursors`, and nothing is missed. */
  readonly cursors: Record<string, number>;

  /** Listen; returns a function that stops listening. A handler that throws is reported and harms nobody else. */
  on<Type extends keyof ClientEvents>(type: Type, handler: ClientEvents[Type]): () => void;

  /** Connect, or connect again after `stopped` or `close()`. `token` replaces the one given before. */
  connect(options?: { token?: ClientOptions["token"] }): void;

  /** Close for good; what still waits for an answer is rejected with `closed`. Runs go on at the server. */
  close(): void;

  /** Check the connection now, or stop waiting and try now. For "try again" buttons and machines that woke up. */
  wake(): void;

  /**
   * Start a run. Resolves with its first event (`agent_started` or `run_queued`), or with the frame that says it was
   * started before. Without a `runId` one is made, so sending the same start again can never start it twice.
   */
  start(
    agentType: string,
    input?: Json,
    options?: { threadId?: string; runId?: string; ifBusy?: "enqueue" | "reject" | "cancel" },
  ): Promise<NetraEvent | ControlFrame>;

  /** Stop a run. Resolves with the event that ended it, rejects with `run_finished` or `not_found`. */
  stop(runId: string, reason?: string): Promise<NetraEvent>;

  /** Decide an approval. Resolves with `approval_resolved`, rejects with `already_decided` (`error.frame.decision`). */
  respond(runId: string, approvalId: string, approved: boolean, value?: Json): Promise<NetraEvent>;

  /**
   * Have a thread sent from after `cursor` (0: from its beginning; absent: where this client stands), then live. Going
   * backwards is allowed: the thread's events come again, flagged `replayed`. Resolves with the `resumed` frame;
   * connection losses only delay it.
   */
  resume(threadId: string, cursor?: number): Promise<ResumedFrame>;

  /** Resume many threads with as few frames as possible, without waiting for the answers. */
  resumeAll(cursors: Record<string, number>): void;

  /** The user's threads, newest first. */
  sync(options?: { limit?: number; before?: string }): Promise<SyncedFrame>;

  /** Limit live events to these threads (a list, or "*"); repeated on every new connection. */
  watch(threads?: string[] | "*"): Promise<ControlFrame>;

  /** Renew the session with a fresh token of the same user. A client with a `token` function does it by itself. */
  authenticate(token: string): Promise<ControlFrame>;

  ping(payload?: Json): Promise<ControlFrame>;
}

/** A fresh id for a thread or a run. */
export function newId(): string;

/** The address of `/ws` on the page's own server. */
export function defaultUrl(location?: { protocol: string; host: string }): string;
