/** The unanswered requests: every promise is resolved, or rejected with a reason, in bounded time. */

import { isTooLarge } from "./frames.js";
import { NetraError } from "./values.js";

const LATE = "The server did not answer. Try again.";

export class Requests {
	#waiting = new Map();
	#options;
	#on;

	/** `on`: send(text) sends when connected, nextId(prefix), isOpen(), isNarrow() if `watch` limits events. */
	constructor(options, on) {
		this.#options = options;
		this.#on = on;
	}

	/**
	 * With `isAnswer`, which knows the answering event, it is sent again after a lost connection; else it ends with it.
	 * `isDone` knows the error that tells, when it is repeated, that what we want has happened.
	 */
	async ask(frame, { isAnswer, isDone } = {}) {
		const { answerMs } = this.#options;
		const requestId = this.#on.nextId("request");
		const text = JSON.stringify({ ...frame, request_id: requestId });
		if (isTooLarge(text)) throw new NetraError("too_large", "This is larger than the 64 KiB that the server accepts at once");
		return new Promise((resolve, reject) => {
			const request = { text, isAnswer, isDone, resolve, reject, sent: 0, patience: 2 * answerMs };
			if (!isAnswer) request.timer = setTimeout(() => this.#giveUp(requestId), answerMs);
			this.#waiting.set(requestId, request);
			if (this.#on.isOpen()) this.#send(requestId, request);
		});
	}

	opened() {
		for (const [requestId, request] of this.#waiting) this.#send(requestId, request);
	}

	lost() {
		const error = new NetraError("disconnected", "The connection was lost before the server answered. Try again.");
		for (const [requestId, { isAnswer, timer }] of this.#waiting) {
			clearTimeout(timer);
			if (!isAnswer) this.#settle(requestId, "reject", error);
		}
	}

	rejectAll(error) {
		for (const requestId of this.#waiting.keys()) this.#settle(requestId, "reject", error);
	}

	/** Matches by content, not `data.request_id`: clients in other tabs use the same numbers. */
	event(event) {
		for (const [requestId, { isAnswer }] of this.#waiting) {
			if (isAnswer?.(event)) this.#settle(requestId, "resolve", event);
		}
	}

	answered(frame) {
		this.#settle(frame.request_id, "resolve", frame);
	}

	/** False if it answers no request. */
	refused(error) {
		const { frame } = error;
		const request = this.#waiting.get(frame.request_id);
		if (request?.sent > 1 && request.isDone?.(frame)) return this.#settle(frame.request_id, "resolve", frame);
		return this.#settle(frame.request_id, "reject", error);
	}

	/** Repeatable requests are sent again until answered: `watch` may hide the event that answers. */
	#send(requestId, request) {
		const { repeatMs, answerMs } = this.#options;
		this.#on.send(request.text);
		request.sent += 1;
		if (!request.isAnswer) return;
		const pause = request.isDone && this.#on.isNarrow() ? repeatMs : answerMs;
		clearTimeout(request.timer);
		request.timer = setTimeout(() => {
			request.patience -= pause;
			if (request.patience > 0) this.#send(requestId, request);
			else this.#giveUp(requestId);
		}, pause);
	}

	#giveUp(requestId) {
		this.#settle(requestId, "reject", new NetraError("timeout", LATE));
	}

	#settle(requestId, how, value) {
		const request = this.#waiting.get(requestId);
		if (!request) return false;
		clearTimeout(request.timer);
		this.#waiting.delete(requestId);
		request[how](value);
		return true;
	}
}
