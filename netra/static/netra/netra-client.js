/** A client for Netra's WebSocket protocol, version 1. What it promises and how it is used: `netra-client.d.ts`. */

import { Connection, defaultUrl } from "./client/connection.js";
import { Cursors } from "./client/cursors.js";
import { NetraError, newId } from "./client/values.js";

export { NetraError, defaultUrl, newId };

const MAX_FRAME_BYTES = 64 * 1024; // a larger one would cost the connection

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

export class NetraClient {
	#options;
	#connection;
	#cursors;
	#handlers = new Map();
	#requests = new Map();
	#requestNumber = 0;
	#watched = "*";
	#stopListening = null;

	constructor(options = {}) {
		this.#options = { ...DEFAULTS, random: Math.random, WebSocket: globalThis.WebSocket, ...options };
		this.#connection = new Connection(this.#options, {
			opened: () => this.#opened(),
			received: (text) => this.#received(text),
			lost: () => this.#lost(),
			ended: (error) => this.#ended(error),
			status: (status) => this.#emit("status", status),
		});
		this.#cursors = new Cursors(this.#options, {
			send: (frame) => this.#send(frame),
			nextId: (prefix) => this.#nextId(prefix),
			emit: (...values) => this.#emit(...values),
		});
	}

	get status() {
		return { ...this.#connection.status };
	}

	get cursors() {
		return this.#cursors.all;
	}

	on(type, handler) {
		if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
		this.#handlers.get(type).add(handler);
		return () => this.#handlers.get(type).delete(handler);
	}

	connect({ token } = {}) {
		if (token !== undefined) this.#options.token = token;
		this.#listenToThePage();
		this.#connection.connect();
	}

	close() {
		this.#connection.close();
	}

	wake() {
		this.#connection.wake();
	}

	start(agentType, input = {}, { threadId, runId = newId(), ifBusy } = {}) {
		const frame = { action: "start_agent", agent_type: agentType, input, run_id: runId, thread_id: threadId, if_busy: ifBusy };
		return this.#request(frame, ({ run_id: id, event_type: type }) => id === runId && /^(run_queued|agent_started)$/.test(type));
	}

	stop(runId, reason) {
		const isEnd = ({ run_id: id, event_type: type }) => id === runId && /^agent_(completed|failed|cancelled)$/.test(type);
		return this.#request({ action: "stop_agent", run_id: runId, reason }, isEnd);
	}

	respond(runId, approvalId, approved, value) {
		const frame = { action: "respond", run_id: runId, approval_id: approvalId, approved, value };
		return this.#request(frame, ({ event_type: type, data }) => type === "approval_resolved" && data.approval_id === approvalId);
	}

	resume(threadId, cursor) {
		return this.#cursors.resume(threadId, cursor);
	}

	resumeAll(cursors) {
		this.#cursors.resumeAll(cursors);
	}

	sync({ limit, before } = {}) {
		return this.#request({ action: "sync", limit, before });
	}

	watch(threads = "*") {
		this.#watched = threads;
		return this.#request({ action: "watch", threads });
	}

	authenticate(token) {
		return this.#request({ action: "authenticate", token });
	}

	ping(payload) {
		return this.#request({ action: "ping", payload });
	}

	/** With `isAnswer`, which knows the answering event, it is sent again after a lost connection; else it ends with it. */
	#request(frame, isAnswer = null) {
		const requestId = this.#nextId("request");
		const text = JSON.stringify({ ...frame, request_id: requestId });
		const { state, code, message } = this.status;
		if (text.length * 3 > MAX_FRAME_BYTES && new TextEncoder().encode(text).length > MAX_FRAME_BYTES) {
			return Promise.reject(new NetraError("too_large", "This is larger than the 64 KiB the server accepts at once"));
		}
		if (state === "stopped" || state === "closed") {
			return Promise.reject(new NetraError(code ?? state, message ?? "The connection is closed"));
		}
		return new Promise((resolve, reject) => {
			const late = () => this.#settle(requestId, "reject", new NetraError("timeout", "The server did not answer. Try again."));
			const timer = isAnswer ? null : setTimeout(late, this.#options.answerMs);
			this.#requests.set(requestId, { text, isAnswer, resolve, reject, timer });
			if (state === "open") this.#connection.send(text);
		});
	}

	#settle(requestId, how, value) {
		const request = this.#requests.get(requestId);
		if (!request) return false;
		clearTimeout(request.timer);
		this.#requests.delete(requestId);
		request[how](value);
		return true;
	}

	#nextId(prefix) {
		this.#requestNumber += 1;
		return `${prefix}-${this.#requestNumber}`;
	}

	#send(frame) {
		this.#connection.send(JSON.stringify(frame));
	}

	#opened() {
		this.#cursors.reconnected();
		if (this.#watched !== "*") this.#send({ action: "watch", threads: this.#watched });
		for (const { text } of this.#requests.values()) this.#connection.send(text);
	}

	#lost() {
		this.#cursors.disconnected();
		const error = new NetraError("disconnected", "The connection was lost before the server answered. Try again.");
		for (const [requestId, { isAnswer }] of this.#requests) if (!isAnswer) this.#settle(requestId, "reject", error);
	}

	#ended(error) {
		this.#cursors.disconnected();
		this.#stopListening?.();
		this.#stopListening = null;
		for (const requestId of [...this.#requests.keys()]) this.#settle(requestId, "reject", error);
		this.#cursors.rejectAll(error);
	}

	#received(text) {
		const frames = [JSON.parse(text)].flat();
		for (const frame of frames) frame.seq ? this.#onEvent(frame) : this.#onControl(frame);
		if (frames.some(({ seq }) => seq)) this.#cursors.handled(text.length);
	}

	#onEvent(event) {
		const fresh = this.#cursors.event(event);
		if (!fresh) return;
		this.#emit("event", event, fresh);
		// By what happened, not by `data.request_id`: another tab's client numbers its requests in the same way.
		for (const [requestId, { isAnswer }] of this.#requests) {
			if (isAnswer?.(event)) this.#settle(requestId, "resolve", event);
		}
	}

	#onControl(frame) {
		const { event_type: type, request_id: requestId } = frame;
		this.#connection.note(frame);
		if (type === "error") this.#onError(frame);
		else if (type === "replaying") this.#cursors.replaying(frame);
		else if (type === "resumed") this.#cursors.resumed(frame);
		else if (type === "session_expiring") this.#renewSession(frame);
		this.#emit("control", frame);
		if (type !== "error") this.#settle(requestId, "resolve", frame);
	}

	#onError(frame) {
		if (this.#cursors.error(frame)) return;
		const error = new NetraError(frame.code, frame.message, frame);
		if (!this.#settle(frame.request_id, "reject", error)) this.#emit("error", error);
	}

	async #renewSession(frame) {
		this.#emit("session_expiring", frame);
		const { token } = this.#options;
		if (typeof token !== "function") return; // a cookie is renewed by logging in; only the application can ask for that
		try {
			await this.authenticate(await token());
		} catch (error) {
			this.#emit("error", error);
		}
	}

	#listenToThePage() {
		if (this.#stopListening || typeof globalThis.addEventListener !== "function") return;
		const stop = new AbortController();
		const wake = () => globalThis.document?.visibilityState !== "hidden" && this.wake();
		globalThis.addEventListener("online", wake, stop);
		globalThis.document?.addEventListener("visibilitychange", wake, stop);
		this.#stopListening = () => stop.abort();
	}

	#emit(type, ...values) {
		for (const handler of this.#handlers.get(type) ?? []) {
			try {
				handler(...values);
			} catch (error) {
				(globalThis.reportError ?? console.error)(error);
			}
		}
	}
}
