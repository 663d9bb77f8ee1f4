/** A client for Netra's WebSocket protocol, version 1. Reference: `netra-client.d.ts`. */

import { Connection, defaultUrl } from "./client/connection.js";
import { Cursors, isOf } from "./client/cursors.js";
import { isCursor, watchFrame } from "./client/frames.js";
import { Requests } from "./client/requests.js";
import { NetraError, newId, within } from "./client/values.js";

export { NetraError, defaultUrl, newId };

const DEFAULTS = {
	backoffMs: 500,
	maxBackoffMs: 30_000,
	laterMs: 20_000,
	connectMs: 15_000,
	wakeMs: 1_000,
	stableMs: 5_000,
	keepAliveMs: 25_000,
	pongMs: 10_000,
	answerMs: 30_000,
	repeatMs: 1_000,
	ackBytes: 128 * 1024,
	ackMs: 1_000,
};

export class NetraClient {
	#options;
	#connection;
	#cursors;
	#handlers = new Map();
	#requests;
	#requestNumber = 0;
	#watched = "*";
	#stopListening = null;

	constructor(options = {}) {
		this.#options = { ...DEFAULTS, random: Math.random, WebSocket: globalThis.WebSocket, ...options };
		this.#connection = new Connection(this.#options, {
			opened: () => this.#opened(),
			silent: () => this.#cursors.askEpoch(),
			received: (text) => this.#received(text),
			lost: () => this.#lost(),
			ended: (error) => this.#ended(error),
			status: (status) => this.#emit("status", status),
		});
		const nextId = (prefix) => `${prefix}-${(this.#requestNumber += 1)}`;
		this.#cursors = new Cursors(this.#options, {
			send: (frame) => this.#connection.send(JSON.stringify(frame)),
			nextId,
			emit: (...values) => this.#emit(...values),
		});
		this.#requests = new Requests(this.#options, {
			send: (text) => this.#connection.send(text),
			nextId,
			isOpen: () => this.#connection.status.state === "open",
			isNarrow: () => this.#watched !== "*",
		});
	}

	get status() {
		return { ...this.#connection.status };
	}

	get cursors() {
		return this.#cursors.all;
	}

	get epoch() {
		return this.#cursors.epoch ?? null;
	}

	on(type, handler) {
		if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
		const registration = { handler }; // unique, even if a function is registered twice
		this.#handlers.get(type).add(registration);
		return () => this.#handlers.get(type).delete(registration);
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

	async start(agentType, input = {}, { threadId, runId = newId(), ifBusy } = {}) {
		const frame = { action: "start_agent", agent_type: agentType, input, run_id: runId, thread_id: threadId, if_busy: ifBusy };
		const isAnswer = ({ run_id: id, event_type: type }) => id === runId && /^(run_queued|agent_started)$/.test(type);
		const first = await this.#request(frame, { isAnswer });
		this.#alsoWatch([first.thread_id]);
		return first;
	}

	stop(runId, reason) {
		const isAnswer = ({ run_id: id, event_type: type }) => id === runId && /^agent_(completed|failed|cancelled)$/.test(type);
		const isDone = ({ code }) => code === "run_finished";
		return this.#request({ action: "stop_agent", run_id: runId, reason }, { isAnswer, isDone });
	}

	async respond(runId, approvalId, approved, value, { arguments: edited } = {}) {
		const frame = { action: "respond", run_id: runId, approval_id: approvalId, approved, value, arguments: edited };
		const isAnswer = ({ event_type: type, data }) => type === "approval_resolved" && data.approval_id === approvalId;
		const told = JSON.stringify([approved, value ?? null, edited ?? null]);
		const isDone = ({ decision: made }) => made && JSON.stringify([made.approved, made.value ?? null, made.arguments ?? null]) === told;
		return this.#request(frame, { isAnswer, isDone });
	}

	resume(threadId, cursor) {
		const over = this.#over();
		if (over) return Promise.reject(over);
		if (isCursor(threadId)) this.#alsoWatch([threadId]);
		return this.#cursors.resume(threadId, cursor);
	}

	resumeAll(cursors) {
		this.#alsoWatch(this.#cursors.resumeAll(cursors));
	}

	forget(threadId) {
		this.#cursors.forget(threadId);
		if (this.#watched !== "*") this.#watched.delete(threadId);
	}

	sync({ limit, before } = {}) {
		return this.#request({ action: "sync", limit, before });
	}

	async watch(threads = "*") {
		const before = this.#watched;
		const wanted = threads === "*" ? threads : new Set(threads);
		const frame = watchFrame(wanted);
		this.#watched = wanted;
		try {
			return await this.#request(frame);
		} catch (error) {
			// A lost one is repeated on the next connection; a refused one would be refused again.
			if (!["disconnected", "timeout"].includes(error.code) && this.#watched === wanted) this.#watched = before;
			throw error;
		}
	}

	async authenticate(given) {
		const token = String(given).trim(); // tokens read from a file end with a newline
		const answer = await this.#request({ action: "authenticate", token });
		const { token: known, ticket } = this.#options;
		if (typeof known !== "function" && !ticket) this.#options.token = token; // the next connection uses it
		return answer;
	}

	ping(payload) {
		return this.#request({ action: "ping", payload });
	}

	/** Why requests are impossible, or null. */
	#over() {
		const { state, code, message } = this.status;
		return /stopped|closed/.test(state) ? new NetraError(code ?? state, message ?? "The connection is closed") : null;
	}

	/** The server adds a thread that is resumed or started in; the next connection must not forget it. */
	#alsoWatch(threadIds) {
		if (this.#watched !== "*") for (const id of threadIds) this.#watched.add(id);
	}

	async #request(frame, how) {
		const over = this.#over();
		if (over) throw over;
		return this.#requests.ask(frame, how);
	}

	#opened() {
		this.#cursors.reconnected();
		try {
			if (this.#watched !== "*") this.#connection.send(JSON.stringify(watchFrame(this.#watched)));
		} catch {
			this.#watched = "*"; // starts and resumes made it too large: too many events are better than too few
		}
		this.#requests.opened();
	}

	#lost() {
		this.#cursors.disconnected();
		this.#requests.lost();
	}

	#ended(error) {
		this.#cursors.disconnected();
		this.#stopListening?.();
		this.#stopListening = null;
		this.#requests.rejectAll(error);
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
		this.#requests.event(event);
	}

	#onControl(frame) {
		const { event_type: type } = frame;
		this.#connection.note(frame);
		if (type === "error") this.#onError(frame);
		else if (type === "replaying") this.#cursors.replaying(frame);
		else if (type === "resumed") this.#cursors.resumed(frame);
		else if (type === "synced") this.#cursors.isOther(frame);
		else if (type === "session_expiring") this.#renewSession(frame);
		else if (type === "notice") this.#emit("notice", frame);
		if (isOf("epoch", frame)) return; // only the client asked for it
		this.#emit("control", frame);
		if (type !== "error") this.#requests.answered(frame);
	}

	#onError(frame) {
		if (this.#cursors.error(frame)) return;
		const error = new NetraError(frame.code, frame.message, frame);
		if (!this.#requests.refused(error)) this.#emit("error", error);
	}

	async #renewSession(frame) {
		this.#emit("session_expiring", frame);
		const { token } = this.#options;
		if (typeof token !== "function") return; // a cookie is renewed by logging in; only the application can ask for that
		try {
			const { connectMs } = this.#options;
			await this.authenticate(await within(connectMs, token(), `No answer from \`token\` within ${connectMs / 1000} s`));
		} catch (error) {
			this.#emit("error", error);
		}
	}

	#listenToThePage() {
		if (this.#stopListening || typeof globalThis.addEventListener !== "function") return;
		const stop = new AbortController();
		const wake = () => globalThis.document?.visibilityState !== "hidden" && this.wake();
		globalThis.addEventListener("online", wake, stop);
		globalThis.addEventListener("offline", () => this.status.state === "open" && this.wake(), stop);
		globalThis.document?.addEventListener("visibilitychange", wake, stop);
		this.#stopListening = () => stop.abort();
	}

	#emit(type, ...values) {
		for (const { handler } of this.#handlers.get(type) ?? []) {
			try {
				handler(...values);
			} catch (error) {
				(globalThis.reportError ?? console.error)(error);
			}
		}
	}
}
