/** The console's messages, in the reader's terms: what happened, and what to do. */

import { duration } from "./format.js";
import { undeceive } from "./honest.js";

const FAILURES = {
	timeout: "Took too long",
	quota_exceeded: "The storage limit is reached",
	worker_lost: "The server running it stopped unexpectedly",
	server_stopped: "The server was stopped",
};

// The server's messages for these are for developers; others are for users.
const ERRORS = {
	rate_limited: "You are sending too fast. Wait a moment, then send it again.",
	too_large: "This is too long to be sent at once. Shorten it, or send it in parts.",
};

const LOGGED_OUT = {
	session_revoked: "You were logged out, here or in another tab.",
	token_expired: "Your session has expired.",
	other_user: "Somebody else has logged in here since this page was opened.",
};

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

export const failureTitle = (code) => FAILURES[code] ?? "Failed";

export function errorText(error) {
	let text = ERRORS[error.code] ?? error.message;
	if (error.retryAfterMs) text += ` (${duration(error.retryAfterMs)})`;
	return error.incident ? `${text} Incident ${error.incident}` : text;
}

export const loggedOutText = (code) => LOGGED_OUT[code] ?? "You are no longer logged in.";

export function stoppedBy(reason) {
	if (reason === "replaced") return "Stopped: a newer message replaced it";
	return !reason || reason === "stopped" ? "Stopped by you" : `Stopped: ${reason}`;
}

/** `where`: "here", "elsewhere" (while this tab watched), or null: not known any more. */
export function approvalOutcome({ by, approved }, where) {
	if (by === "expired") return "Expired without an answer";
	if (by === "cancelled") return "Not decided: the run ended first";
	return (approved ? "Approved" : "Denied") + ({ elsewhere: " in another tab", here: " by you" }[where] ?? "");
}

/** The quiet line about the connection; empty when there is nothing to say. */
export function connectionText({ state, code, closeCode, retryAt }, now, wasOpen) {
	const again = retryAt ? `Reconnecting in ${duration(Math.max(1_000, retryAt - now))}.` : "Reconnecting…";
	if (state === "open") return "";
	if (!wasOpen && ["idle", "connecting"].includes(state)) return "Connecting…";
	if (state === "stopped") return "This page and the server no longer understand each other. Reload the page.";
	if (code === "draining") return `The server is restarting. Your runs and events are safe. ${again}`;
	if (closeCode === 4409) return `You have too many windows open. Close some. ${again}`;
	if (closeCode === 4429) return `The server asked this page to slow down. ${again}`;
	return `Connection lost. Your runs continue, and no events are lost. ${again}`;
}

/** For screen readers: not every token. `elsewhere`: in a thread that is not shown. */
export function announcement({ event_type: type, data }, elsewhere) {
	if (type === "approval_requested") return `Waiting for your approval: ${undeceive(data.message)}`;
	if (elsewhere) return null;
	if (type === "agent_started") return "Run started";
	if (type === "run_queued") return "Run queued";
	if (type === "agent_completed") return `Run finished in ${duration(data.duration_ms)}`;
	if (type === "agent_failed") return `Run failed: ${failureTitle(data.code)}`;
	return type === "agent_cancelled" ? "Run stopped" : null;
}
