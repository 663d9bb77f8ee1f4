/** What the console says, in the reader's terms: what happened, and what to do. */

import { duration } from "./format.js";

const FAILURES = {
  agent_error: "Failed",
  timeout: "Took too long",
  result_unserialisable: "The result could not be sent",
  result_too_large: "The result is too large",
  worker_lost: "The process it ran in is gone",
  server_stopped: "The server was stopped",
  journal_unavailable: "It could not be written down any more",
};

const ERRORS = {
  unknown_agent: "There is no such agent. Choose another one.",
  thread_busy: "Another run is going on in this thread. Wait for it, or stop it.",
  run_limit: "You have as many runs going on as are allowed. Wait for one to end, or stop one.",
  rate_limited: "That was too fast. Wait a moment and send it again.",
  too_large: "This is too long to be sent at once. Shorten it, or send it in parts.",
  journal_unavailable: "The server cannot write anything down right now. Try again in a moment.",
  not_found: "The server does not know this run any more.",
  run_finished: "The run was already over.",
  timeout: "The server did not answer. Try again.",
  disconnected: "The connection was lost before the server answered. Try again.",
};

const LOGGED_OUT = {
  session_revoked: "You were logged out, here or in another tab.",
  token_expired: "Your session has expired.",
  other_user: "Somebody else has logged in here since this page was opened.",
};

export function failureTitle(code) {
  return FAILURES[code] ?? FAILURES.agent_error;
}

/** An error the server (or the client) gave as an answer. */
export function errorText(error) {
  const text = ERRORS[error.code] ?? error.message;
  return error.retryAfterMs ? `${text} (${duration(error.retryAfterMs)})` : text;
}

export function loggedOutText(code) {
  return LOGGED_OUT[code] ?? "You are not logged in any more.";
}

export function stoppedBy(reason) {
  if (reason === "replaced") return "Stopped: a newer message replaced it";
  return !reason || reason === "stopped" ? "Stopped by you" : `Stopped: ${reason}`;
}

/** `where`: "here", "elsewhere" (another tab, while this one watched), or null when that is not known any more. */
export function approvalOutcome(step, where) {
  if (step.by === "expired") return "Nobody decided in time";
  if (step.by === "cancelled") return "Not decided: the run ended before";
  const decision = step.approved ? "Approved" : "Denied";
  if (where === "elsewhere") return `${decision} in another tab`;
  return where === "here" ? `${decision} by you` : decision;
}

export const TOOL_STATUS = { running: "running", ok: "ok", error: "failed", denied: "denied", cancelled: "stopped" };

export const RUN_STATUS = {
  sending: "Sending",
  queued: "Queued",
  running: "Running",
  waiting: "Waiting for you",
  completed: "Finished",
  failed: "Failed",
  cancelled: "Stopped",
};

/** The quiet line about the connection; null when there is nothing to say. */
export function connectionText(status, now, wasOpen) {
  const again = status.retryAt === null ? "Trying again…" : `Trying again in ${duration(Math.max(1_000, status.retryAt - now))}.`;
  if (status.state === "open") return null;
  if (status.state === "connecting" && !wasOpen) return "Connecting…";
  if (status.state === "stopped") return "This page and the server no longer understand each other. Reload the page.";
  if (status.code === "draining") return `The server is restarting, nothing is lost with it. ${again}`;
  if (status.state === "connecting") return "Connection lost, nothing is lost with it. Trying again…";
  if (status.closeCode === 4409) return `Too many windows of yours are connected. Close some. ${again}`;
  if (status.closeCode === 4429) return `The server asked this page to slow down. ${again}`;
  return `Connection lost, nothing is lost with it. ${again}`;
}
