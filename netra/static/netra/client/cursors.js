/** The application's position in every thread: which events are new, missing, or to acknowledge. */

import { isCursor, parts } from "./frames.js";
import { NetraError } from "./values.js";

const PASSING = ["rate_limited", "journal_unavailable", "internal"]; // errors after which a retry may succeed

/** `cursor`: the last seq handed to the application. `position`: that of the server, which limits an `ack`. */
class Thread {
	replayTo = 0; // events up to here may have been seen before
	awaiting = null; // request_id of the resume that will set the position
	gapAt = null; // the cursor at which a gap was already asked for
	unacked = false;
	ackedBy = null; // request_id of the last ack
	isForgotten = false; // kept only for events still on their way
	isQuiet = false; // nothing came since the last check
	waiters = []; // promises of `resume`

	constructor(cursor) {
		this.cursor = this.position = cursor;
	}

	reject(error) {
		for (const waiter of this.waiters.splice(0)) waiter.reject(error);
	}
}

export class Cursors {
	epoch; // of the cursors' journal
	#threads = new Map();
	#bad = []; // invalid ids, not reported yet
	#options;
	#on;
	#unackedBytes = 0;
	#ackTimer = null;
	#patience = null;
	#epochAsked = false; // on this connection
	#refused = 0; // resumes that wait for a retry

	/** `on`: send(frame) sends when connected, nextId(prefix), emit(type, ...values). */
	constructor(options, on) {
		this.#options = options;
		this.#on = on;
		if (typeof options.epoch === "string") this.epoch = options.epoch.slice(0, 128) || undefined;
		this.#take(options.cursors ?? {});
	}

	get all() {
		const known = [...this.#threads].filter(([, { isForgotten }]) => !isForgotten);
		return Object.fromEntries(known.map(([id, { cursor }]) => [id, cursor]));
	}

	resume(threadId, cursor = this.#threads.get(threadId)?.cursor ?? 0) {
		if (!isCursor(threadId, cursor)) return Promise.reject(badCursor(threadId));
		const promise = new Promise((resolve, reject) => this.#at(threadId, cursor).waiters.push({ resolve, reject }));
		promise.catch(() => {}); // most callers follow the events instead; `status` reports the end of the session
		this.resumeAll({ [threadId]: cursor });
		return promise;
	}

	/** Returns the requested ids. */
	resumeAll(cursors) {
		const ids = this.#take(cursors);
		this.#tellBad();
		this.#ask(ids);
		return ids;
	}

	/** Later events of the thread are new; those already on their way are dropped. */
	forget(threadId) {
		const thread = this.#threads.get(threadId);
		if (!thread) return;
		thread.reject(new NetraError("forgotten", "The thread was forgotten before the server answered"));
		if (thread.unacked) this.#acknowledge();
		thread.isForgotten = true;
		if (!thread.awaiting && thread.position >= thread.replayTo) this.#threads.delete(threadId);
	}

	/** Must be the first action: the server then starts each thread at our cursor. */
	reconnected() {
		this.disconnected();
		for (const [id, thread] of this.#threads) {
			thread.unacked = false;
			if (thread.isForgotten) this.#threads.delete(id);
		}
		this.#patience = setInterval(() => this.#look(), this.#options.answerMs);
		this.#ask([...this.#threads.keys()]);
		this.#tellBad();
	}

	disconnected() {
		this.#epochAsked = false;
		this.#unackedBytes = 0;
		clearTimeout(this.#ackTimer);
		clearInterval(this.#patience);
		this.#ackTimer = null;
	}

	rejectAll(error) {
		for (const thread of this.#threads.values()) thread.reject(error);
	}

	/** Without a resume the epoch is unknown, and a restored backup would go unnoticed on reconnect. */
	askEpoch() {
		if (this.#epochAsked) return;
		this.#epochAsked = true;
		this.#on.send({ action: "sync", limit: 1, request_id: this.#on.nextId("epoch") });
	}

	/** True if the journal is not the known one (a backup was restored): all its events are discarded. */
	isOther({ epoch }) {
		if (typeof epoch !== "string") return false; // an older server
		const isOther = this.epoch !== undefined && epoch !== this.epoch;
		this.epoch = epoch;
		if (isOther) this.#restart();
		return isOther;
	}

	/** `{ replayed }` when the event is new to the application, which must see it next; else null. */
	event({ thread_id: threadId, seq }) {
		const thread = this.#at(threadId, seq - 1); // an unrequested thread begins at its first event
		thread.isQuiet = false;
		if (!this.epoch) this.askEpoch();
		if (thread.awaiting) return null; // sent before our resume was read: the replay that follows contains it
		thread.position = seq;
		thread.unacked = true;
		if (thread.isForgotten) {
			if (seq <= thread.replayTo) return null;
			Object.assign(thread, { isForgotten: false, cursor: seq - 1 });
		}
		if (seq <= thread.cursor || (seq > thread.cursor + 1 && this.#askForGap(threadId, thread, seq))) return null;
		thread.cursor = seq;
		return { replayed: seq <= thread.replayTo };
	}

	replaying(frame) {
		const { thread_id: threadId, from_seq: from, to_seq: to } = frame;
		const thread = this.#at(threadId, from - 1);
		if (!isAwaited(thread, frame) || this.isOther(frame)) return;
		Object.assign(thread, { awaiting: null, position: from - 1, replayTo: to, isQuiet: false });
		if (!thread.isForgotten) this.#on.emit("replaying", { threadId, from, to });
	}

	resumed(frame) {
		const { thread_id: threadId, last_seq: last } = frame;
		const thread = this.#threads.get(threadId);
		if (!thread || !isAwaited(thread, frame) || this.isOther(frame)) return;
		Object.assign(thread, { awaiting: null, position: last, replayTo: Math.min(thread.replayTo, last) });
		if (thread.isForgotten) return this.forget(threadId);
		if (last > thread.cursor && this.#askForGap(threadId, thread, last + 1)) return;
		thread.cursor = Math.max(thread.cursor, last);
		this.#on.emit("resumed", frame);
		for (const waiter of thread.waiters.splice(0)) waiter.resolve(frame);
	}

	/** True if the error answers a resume and was handled. */
	error(frame) {
		const { code, request_id: requestId, thread_id: named, first_seq: first, last_seq: lastSeq } = frame;
		if (isOf("ack", frame) && PASSING.includes(code)) {
			// An unacknowledged window stays full.
			for (const thread of this.#threads.values()) thread.unacked ||= thread.ackedBy === requestId;
			this.#ackTimer ??= setTimeout(() => this.#acknowledge(), frame.retry_after_ms ?? this.#options.ackMs);
			return true;
		}
		const affected = [...this.#threads].filter(([id, thread]) => requestId && thread.awaiting === requestId && (named ?? id) === id);
		if (!affected.length) return isOf("epoch", frame) || isOf("resume", frame); // a newer one has replaced it
		const ids = affected.map(([id]) => id);
		if (code === "cursor_expired" && first <= 1 && this.epoch) {
			// No gap before the first event: the cursors are of another epoch. The answers name the new one.
			this.epoch = frame.epoch;
			this.#restart();
			return true;
		}
		if (code === "cursor_expired" || (code === "invalid_cursor" && lastSeq !== undefined)) {
			for (const [threadId, thread] of affected) {
				const { cursor } = thread;
				thread.cursor = (first ?? 1) - 1;
				if (thread.isForgotten) continue;
				// Ahead of the thread: it is not the known one (deleted, or another server's). Restart.
				if (lastSeq !== undefined) this.#on.emit("reset", { threadId, lastSeq });
				else this.#on.emit("gap", { threadId, from: cursor + 1, to: first - 1 });
			}
			this.#askStill(ids, requestId);
			return true;
		}
		if (PASSING.includes(code)) {
			const { backoffMs, random } = this.#options;
			const pause = frame.retry_after_ms ?? 2 * backoffMs * (1 + random());
			// One at a time, or all but the first are refused again. A new connection resumes anyway.
			setTimeout(() => {
				this.#refused -= 1;
				this.#askStill(ids, requestId);
			}, pause + 2 * backoffMs * this.#refused);
			this.#refused += 1;
			return true;
		}
		if (code === "invalid_action" && ids.length > 1) {
			// One of them made the frame invalid.
			const middle = ids.length >> 1;
			this.#ask(ids.slice(0, middle));
			this.#ask(ids.slice(middle));
			return true;
		}
		for (const [, thread] of affected) {
			thread.awaiting = null;
			thread.reject(new NetraError(code, frame.message, frame));
		}
		return false;
	}

	handled(size) {
		this.#unackedBytes += size;
		if (this.#unackedBytes >= this.#options.ackBytes) this.#acknowledge();
		else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), this.#options.ackMs);
	}

	#at(threadId, cursor) {
		if (!this.#threads.has(threadId)) this.#threads.set(threadId, new Thread(cursor));
		return this.#threads.get(threadId);
	}

	/** Stored values may be invalid: only the invalid ones are left out. */
	#take(cursors) {
		const all = cursors instanceof Map ? [...cursors] : Object.entries(cursors);
		return all.flatMap(([id, cursor]) => {
			if (isCursor(id, cursor)) Object.assign(this.#at(id, cursor), { cursor, gapAt: null, isForgotten: false });
			else this.#bad.push(id);
			return isCursor(id, cursor) ? id : [];
		});
	}

	#tellBad() {
		for (const id of this.#bad.splice(0)) this.#on.emit("error", badCursor(id));
	}

	#ask(ids) {
		for (const part of parts(ids.map((id) => [id, this.#threads.get(id).cursor]))) {
			const requestId = this.#on.nextId("resume");
			for (const [id] of part) Object.assign(this.#threads.get(id), { awaiting: requestId, isQuiet: false });
			this.#on.send({ action: "resume", cursors: Object.fromEntries(part), epoch: this.epoch, request_id: requestId });
		}
	}

	/** Those without a newer request. */
	#askStill(ids, requestId) {
		this.#ask(ids.filter((id) => this.#threads.get(id)?.awaiting === requestId));
	}

	#restart() {
		for (const thread of this.#threads.values()) Object.assign(thread, { cursor: 0, gapAt: null, replayTo: 0 });
		const known = Object.keys(this.all);
		this.#ask(known);
		for (const threadId of known) this.#on.emit("reset", { threadId, lastSeq: 0 });
	}

	/** Requested once; if it is still missing, the application is told. */
	#askForGap(threadId, thread, next) {
		const { cursor, gapAt } = thread;
		thread.gapAt = cursor;
		if (gapAt !== cursor) this.#ask([threadId]);
		else this.#on.emit("gap", { threadId, from: cursor + 1, to: next - 1 });
		return gapAt !== cursor;
	}

	/** A `resume` whose thread is silent for so long (paused by `watch`, say) gets no more answer. */
	#look() {
		for (const thread of this.#threads.values()) {
			if (thread.isQuiet) thread.reject(new NetraError("timeout", "The server did not answer. Is the thread watched?"));
			thread.isQuiet = thread.waiters.length > 0;
		}
	}

	#acknowledge() {
		clearTimeout(this.#ackTimer);
		this.#ackTimer = null;
		this.#unackedBytes = 0;
		// While a resume is on its way the server's position is not known.
		const due = [...this.#threads].filter(([, { unacked, awaiting }]) => unacked && !awaiting);
		for (const part of parts(due.map(([id, { position }]) => [id, position]))) {
			const ackedBy = this.#on.nextId("ack");
			for (const [id] of part) Object.assign(this.#threads.get(id), { unacked: false, ackedBy });
			this.#on.send({ action: "ack", cursors: Object.fromEntries(part), request_id: ackedBy });
		}
	}
}

function badCursor(id) {
	const threadId = String(id).slice(0, 128);
	return new NetraError("invalid_action", `Thread ${threadId} is left out: its id or its cursor is invalid`, { thread_id: threadId });
}

/** Whether it answers the client's own requests: a `resume`, an `ack`, the `epoch`. */
export function isOf(kind, { request_id: requestId }) {
	return String(requestId).startsWith(`${kind}-`);
}

/** Answers to a resume that a newer one has replaced do not count; those to a repeated `start` do. */
function isAwaited({ awaiting }, frame) {
	return !awaiting || frame.request_id === awaiting || !isOf("resume", frame);
}
