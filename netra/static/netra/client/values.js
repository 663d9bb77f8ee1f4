/** Shared by the client's modules. */

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

/** 128 random bits; not `crypto.randomUUID`, which plain-http pages do not have. */
export function newId() {
	const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A foreign promise, with a time limit. */
export function within(ms, promise, message) {
	let timer;
	const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new NetraError("timeout", message)), ms)));
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
