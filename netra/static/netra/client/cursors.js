/** Where the application stands in every thread: what is new to it, what is missing, what may be acknowledged. */

import { NetraError } from "./values.js";

const PASSING = ["rate_limited", "journal_unavailable", "internal"]; // errors after which one may ask again
const LEGAL_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
const MAX_CURSORS = 1000; // more of them would cost the whole action

/** `cursor`: the last seq handed to the application. `position`: where the server stands, which an `ack` may name. */
class Thread {
	replayTo = 0; // events up to here may have been seen before
	awaiting = null; // request_id of the resume that will set the position
	gapAt = null; // the cursor at which a gap was already asked for
	unacked = false;
	waiters = []; // promises of `resume`

	constructor(cursor) {
		this.cursor = this.position = cursor;
	}
}

export class Cursors {
	#threads = new Map();
	#options;
	#on;
	#unackedBytes = 0;
	#ackTimer = null;

	/** `on`: send(frame) sends when connected, nextId(prefix), emit(type, ...values). */
	constructor(options, on) {
		this.#options = options;
		this.#on = on;
		for (const [id, cursor] of Object.entries(options.cursors ?? {})) this.#at(id, cursor);
	}

	get all() {
		return Object.fromEntries(Array.from(this.#threads, ([id, { cursor }]) => [id, cursor]));
	}

	resume(threadId, cursor = this.#threads.get(threadId)?.cursor ?? 0) {
		if (!LEGAL_ID.test(threadId)) return Promise.reject(new NetraError("invalid_action", "This is no thread's id"));
		const promise = new Promise((resolve, reject) => this.#at(threadId, cursor).waiters.push({ resolve, reject }));
		promise.catch(() => {}); // most callers follow the events instead; an end of the session is told by `status`
		this.resumeAll({ [threadId]: cursor });
		return promise;
	}

	resumeAll(cursors) {
		for (const [id, cursor] of Object.entries(cursors)) Object.assign(this.#at(id, cursor), { cursor, gapAt: null });
		this.#ask(Object.keys(cursors));
	}

	/** Must be the first action: it makes the server start each thread where we left it. */
	reconnected() {
		this.disconnected();
		for (const thread of this.#threads.values()) thread.unacked = false;
		this.#ask([...this.#threads.keys()]);
	}

	disconnected() {
		this.#unackedBytes = 0;
		clearTimeout(this.#ackTimer);
		this.#ackTimer = null;
	}

	rejectAll(error) {
		for (const { waiters } of this.#threads.values()) for (const waiter of waiters.splice(0)) waiter.reject(error);
	}

	/** `{ replayed }` when the event is new to the application, which must see it next; else null. */
	event({ thread_id: threadId, seq }) {
		const thread = this.#at(threadId, seq - 1); // a thread we did not ask for begins where it stood when we connected
		if (thread.awaiting) return null; // sent before our resume was read: the replay that follows contains it
		thread.position = seq;
		thread.unacked = true;
		if (seq <= thread.cursor || (seq > thread.cursor + 1 && this.#askForGap(threadId, thread, seq))) return null;
		thread.cursor = seq;
		return { replayed: seq <= thread.replayTo };
	}

	replaying(frame) {
		const { thread_id: threadId, from_seq: from, to_seq: to } = frame;
		const thread = this.#at(threadId, from - 1);
		if (!isAwaited(thread, frame)) return;
		Object.assign(thread, { awaiting: null, position: from - 1, replayTo: to });
		this.#on.emit("replaying", { threadId, from, to });
	}

	resumed(frame) {
		const { thread_id: threadId, last_seq: last } = frame;
		const thread = this.#threads.get(threadId);
		if (!thread || !isAwaited(thread, frame)) return;
		Object.assign(thread, { awaiting: null, position: last });
		if (last > thread.cursor && this.#askForGap(threadId, thread, last + 1)) return;
		thread.cursor = Math.max(thread.cursor, last);
		this.#on.emit("resumed", frame);
		for (const waiter of thread.waiters.splice(0)) waiter.resolve(frame);
	}

	/** True when the error answers a resume and was dealt with. */
	error(frame) {
		const { code, request_id: requestId, thread_id: named, first_seq: first, last_seq: lastSeq } = frame;
		const affected = [...this.#threads].filter(([id, thread]) => requestId && thread.awaiting === requestId && (named ?? id) === id);
		if (!affected.length) return false;
		const ids = affected.map(([id]) => id);
		if (code === "cursor_expired" || (code === "invalid_cursor" && lastSeq !== undefined)) {
			for (const [threadId, thread] of affected) {
				// Ahead of the thread: it is not the one we knew (deleted, or another server's). Begin anew.
				if (lastSeq !== undefined) this.#on.emit("reset", { threadId, lastSeq });
				else this.#on.emit("gap", { threadId, from: thread.cursor + 1, to: first - 1 });
				thread.cursor = (first ?? 1) - 1;
			}
			this.#ask(ids);
			return true;
		}
		if (PASSING.includes(code)) {
			const { backoffMs, random } = this.#options;
			// A new connection asks by itself, and under another request_id.
			const again = () => this.#ask(ids.filter((id) => this.#threads.get(id).awaiting === requestId));
			setTimeout(again, frame.retry_after_ms ?? 2 * backoffMs * (1 + random()));
			return true;
		}
		for (const [, thread] of affected) {
			thread.awaiting = null;
			for (const waiter of thread.waiters.splice(0)) waiter.reject(new NetraError(code, frame.message, frame));
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

	#ask(ids) {
		for (let start = 0; start < ids.length; start += MAX_CURSORS) {
			const requestId = this.#on.nextId("resume");
			const cursors = {};
			for (const id of ids.slice(start, start + MAX_CURSORS)) {
				const thread = this.#threads.get(id);
				thread.awaiting = requestId;
				cursors[id] = thread.cursor;
			}
			this.#on.send({ action: "resume", cursors, request_id: requestId });
		}
	}

	/** Asked for once; if it still is missing then, the application must know. */
	#askForGap(threadId, thread, next) {
		const { cursor, gapAt } = thread;
		thread.gapAt = cursor;
		if (gapAt !== cursor) this.#ask([threadId]);
		else this.#on.emit("gap", { threadId, from: cursor + 1, to: next - 1 });
		return gapAt !== cursor;
	}

	#acknowledge() {
		clearTimeout(this.#ackTimer);
		this.#ackTimer = null;
		this.#unackedBytes = 0;
		// While a resume is on its way the server's position is not known.
		const due = [...this.#threads].filter(([, { unacked, awaiting }]) => unacked && !awaiting).slice(0, MAX_CURSORS);
		for (const [, thread] of due) thread.unacked = false;
		const cursors = Object.fromEntries(due.map(([id, { position }]) => [id, position]));
		if (due.length) this.#on.send({ action: "ack", cursors });
	}
}

/** Answers to a resume that a newer one has replaced do not count; those to a repeated `start` do. */
function isAwaited({ awaiting }, { request_id: requestId }) {
	return !awaiting || requestId === awaiting || !String(requestId).startsWith("resume-");
}
