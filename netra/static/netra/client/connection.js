/** Opens sockets, detects dead ones, and stops reconnecting when it is pointless. */

import { NetraError } from "./values.js";

const SUBPROTOCOLS = ["netra.v1.batch", "netra.v1"];
// The meaning of a close, by the last error frame or else the close code, which some proxies change.
// Others: reconnect.
const FINAL = ["binary_frame", "frame_too_large", 1009, 4400, 4413];
const CREDENTIALS = ["unauthenticated", "token_expired", "session_revoked", 4401];
const LATER = ["too_many_connections", "flooding", 4409, 4429];
const FAREWELLS = [...FINAL, ...CREDENTIALS, ...LATER, "draining", "too_slow"];
const SUBPROTOCOL = /^[!#$%&'*+.^_`|~\w-]+$/; // what HTTP allows as one
const LONGEST_MS = 3_600_000; // a timer with a too large delay fires at once

export class Connection {
	status = { state: "idle", attempt: 0, retryAt: null, code: null, closeCode: null, message: null };
	#options;
	#on;
	#socket = null;
	#life = 0; // counts attempts; an older one must not affect a newer one
	#attempt = 0;
	#renewed = false; // a fresh credential was already tried since the server last accepted us
	#farewell = null; // the error frame that announced a close
	#stop = null; // aborts the attempt's hooks
	#step = ""; // what the attempt waits for
	#heard = false; // anything since the last ping
	#silence = 0; // silent halves of `keepAliveMs`; counted, as clocks jump
	#spoken = false;
	#gate = null; // runs while wake() is put off
	#woken = false; // wake() was put off
	#timers = {};

	/** `on`: opened(), silent() if no frame was sent then, received(text), lost(), ended(error), status(status). */
	constructor(options, on) {
		this.#options = options;
		this.#on = on;
	}

	connect() {
		const { state } = this.status;
		if (state === "open") return;
		this.#attempt = 0;
		this.#renewed = false;
		if (state === "waiting") return this.wake();
		if (state !== "connecting") return this.#open();
		if (!this.#gate) this.#shut(this.#options.wakeMs); // a recent attempt continues
		this.#woken = true;
	}

	close() {
		this.#end("closed", { code: "closed" });
	}

	wake() {
		const { state } = this.status;
		if (state === "open") return this.#probe();
		if (state !== "waiting" && state !== "connecting") return;
		if (this.#gate) return void (this.#woken = true);
		this.#shut(this.#options.wakeMs);
		this.#open();
	}

	send(text) {
		if (this.#socket?.readyState !== 1) return;
		this.#spoken = true;
		this.#socket.send(text);
	}

	note(frame) {
		if (frame.event_type !== "error") this.#renewed = false;
		else if (!("request_id" in frame) && FAREWELLS.includes(frame.code)) this.#farewell = frame;
	}

	/** Limits how often wake() connects, and delays it until the time the server has named. */
	#shut(ms) {
		clearTimeout(this.#gate);
		this.#gate = setTimeout(() => {
			this.#gate = null;
			if (this.#woken) this.wake();
		}, ms);
	}

	async #open() {
		const life = ++this.#life;
		this.#letGo();
		this.#woken = false;
		this.#farewell = null;
		this.#stop = new AbortController();
		this.#timers.attempt = setTimeout(() => this.#late(), this.#options.connectMs);
		this.#tell("connecting");
		const given = {};
		try {
			for (const hook of ["beforeConnect", "token", "ticket"]) {
				if (life !== this.#life) return;
				const { [hook]: value } = this.#options;
				this.#step = hook;
				if (hook !== "ticket" || !given.token) given[hook] = await (typeof value === "function" ? value({ signal: this.#stop.signal }) : value);
			}
		} catch (error) {
			if (life !== this.#life) return;
			// A hook stops the client with a NetraError; any other error may be the network.
			const { code, message } = error ?? {};
			if (error instanceof NetraError) this.#end("stopped", { code, message });
			else this.#retry({ code: "unreachable", message });
			return;
		}
		if (life === this.#life) this.#handshake(given);
	}

	#handshake({ token, ticket }) {
		// Browsers cannot set headers on a WebSocket: a token travels as a subprotocol, which is not logged as URLs are.
		const bearer = token && `bearer.${String(token).trim()}`;
		const { WebSocket } = this.#options;
		this.#step = "the server";
		// Not a network error, so a retry is useless. The browser's message may contain the credential.
		if (typeof WebSocket !== "function") {
			return this.#end("stopped", { code: "unsupported", message: "This environment has no WebSocket: update it (Node has one since version 22), or pass the option `WebSocket`." });
		}
		if (bearer && !SUBPROTOCOL.test(bearer)) {
			return this.#end("stopped", { code: "invalid_token", message: "The token contains characters that cannot be sent as a subprotocol: use another token, or `ticket`." });
		}
		try {
			const { url = defaultUrl() } = this.#options;
			const query = ticket ? `${String(url).includes("?") ? "&" : "?"}ticket=${encodeURIComponent(ticket)}` : "";
			this.#socket = new WebSocket(url + query, bearer ? [...SUBPROTOCOLS, bearer] : SUBPROTOCOLS);
		} catch (error) {
			return this.#end("stopped", { code: "invalid_url", message: `No WebSocket can be made (${error?.name}): check the option \`url\`.` });
		}
		this.#socket.onopen = () => this.#opened();
		this.#socket.onmessage = ({ data }) => {
			this.#silence = 0;
			this.#heard = true;
			this.#on.received(data);
		};
		this.#socket.onerror = () => {}; // a close follows; an unhandled error ends a Node program
		this.#socket.onclose = ({ code }) => this.#closed(code);
	}

	#late() {
		const message = `No answer from ${this.#step} within ${this.#options.connectMs / 1000} s`;
		this.#life += 1;
		this.#retry({ code: "timeout", message });
	}

	#opened() {
		const { stableMs, keepAliveMs } = this.#options;
		clearTimeout(this.#timers.attempt);
		this.#spoken = this.#woken = false;
		this.#silence = 0;
		this.#timers.stable = setTimeout(() => (this.#attempt = 0), stableMs);
		this.#timers.keepAlive = setInterval(() => ++this.#silence > 1 && this.#probe(), keepAliveMs / 2);
		// The server is silent until the first frame. The application's status handlers run first.
		this.#timers.first = setTimeout(() => this.#spoken || this.#on.silent(), 0);
		this.#on.opened();
		this.#tell("open", {});
	}

	#closed(closeCode) {
		const { code = null, message = null, retry_after_ms: retryAfterMs } = this.#farewell ?? {};
		const why = { code, closeCode, message };
		const isOf = (kind) => kind.includes(code ?? closeCode);
		const { token, ticket, laterMs } = this.#options;
		this.#letGo();
		this.#on.lost();
		if (isOf(CREDENTIALS) && (ticket || typeof token === "function") && !this.#renewed) {
			this.#renewed = true; // the function is asked for fresh ones; a second refusal in a row is final
			this.#open();
		} else if (isOf(FINAL) || isOf(CREDENTIALS)) {
			this.#end("stopped", { ...why, code: code ?? "refused" });
		} else {
			this.#retry(why, isOf(LATER) ? laterMs : 0, retryAfterMs);
		}
	}

	#retry(why, extra = 0, retryAfterMs) {
		const { backoffMs, maxBackoffMs, random } = this.#options;
		this.#letGo();
		const ceiling = Math.min(maxBackoffMs, backoffMs * 2 ** this.#attempt);
		const asked = retryAfterMs >= 0 ? Math.min(retryAfterMs, LONGEST_MS) : null;
		// Half is random, so that clients do not return in one wave. A time the server names is already spread.
		const delay = (asked ?? (ceiling * (1 + random())) / 2) + extra;
		this.#attempt += 1;
		if (asked) this.#shut(asked);
		this.#timers.retry = setTimeout(() => this.#open(), delay);
		this.#tell("waiting", { ...why, retryAt: Date.now() + delay });
	}

	#end(state, why) {
		const error = new NetraError(why.code, why.message ?? "The connection is closed", this.#farewell ?? {});
		this.#life += 1;
		this.#letGo(1000);
		clearTimeout(this.#gate);
		this.#gate = null;
		this.#attempt = 0;
		this.#on.ended(error);
		this.#tell(state, why);
	}

	/** Does not wait: a dead connection's close handshake can take a minute. */
	#letGo(code) {
		const socket = this.#socket;
		clearInterval(this.#timers.keepAlive);
		for (const timer of Object.values(this.#timers)) clearTimeout(timer);
		this.#timers = {};
		this.#socket = null;
		this.#stop?.abort();
		if (!socket) return;
		socket.onopen = socket.onmessage = socket.onclose = null;
		if (code || socket.readyState < 2) socket.close(code);
	}

	/** The server's own pings are invisible to a page, and a cut cable closes nothing. */
	#probe() {
		if (this.#timers.pong) return;
		this.#heard = false;
		this.send('{"action":"ping"}');
		this.#timers.pong = setTimeout(() => {
			this.#timers.pong = null;
			if (!this.#heard) this.#closed(1006);
		}, this.#options.pongMs);
	}

	/** Without `why`, the reason why the last connection ended is kept. */
	#tell(state, why) {
		const { code = null, closeCode = null, message = null, retryAt = null } = why ?? { ...this.status, retryAt: null };
		this.status = { state, attempt: this.#attempt, retryAt, code, closeCode, message };
		this.#on.status(this.status);
	}
}

export function defaultUrl(location = globalThis.location) {
	// From a script element of the page, which user text cannot become.
	const path = globalThis.document?.querySelector("script[data-netra-socket]")?.dataset.netraSocket ?? "/ws";
	return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}
