/** Opens one socket after the other, notices when they die, and knows when coming back is pointless. */

import { NetraError } from "./values.js";

const SUBPROTOCOLS = ["netra.v1.batch", "netra.v1"];
// What a close means, by the last error frame, else by the close code, which some servers and proxies change.
// Not listed: come back.
const FINAL = ["binary_frame", "frame_too_large", 1009, 4400, 4413];
const CREDENTIALS = ["unauthenticated", "token_expired", "session_revoked", 4401];
const LATER = ["too_many_connections", "flooding", 4409, 4429];
const FAREWELLS = [...FINAL, ...CREDENTIALS, ...LATER, "draining", "too_slow"];

export class Connection {
	status = { state: "idle", attempt: 0, retryAt: null, code: null, closeCode: null, message: null };
	#options;
	#on;
	#socket = null;
	#life = 0; // counts attempts; what belongs to an older one must not touch a newer one
	#attempt = 0;
	#renewed = false; // a fresh credential was already tried since the server last accepted us
	#farewell = null; // the error frame that announced a close
	#heard = 0;
	#timers = {};

	/** `on`: opened(), received(text), lost(), ended(error), status(status). */
	constructor(options, on) {
		this.#options = options;
		this.#on = on;
	}

	connect() {
		if (["connecting", "open"].includes(this.status.state)) return;
		this.#attempt = 0;
		this.#renewed = false;
		this.#open();
	}

	close() {
		this.#end("closed", { code: "closed" });
	}

	wake() {
		if (this.status.state === "waiting") this.#open();
		else if (this.status.state === "open") this.#probe();
	}

	send(text) {
		if (this.#socket?.readyState === 1) this.#socket.send(text);
	}

	note(frame) {
		if (frame.event_type !== "error") this.#renewed = false;
		else if (!("request_id" in frame) && FAREWELLS.includes(frame.code)) this.#farewell = frame;
	}

	async #open() {
		const life = ++this.#life;
		clearTimeout(this.#timers.retry);
		this.#tell("connecting");
		try {
			await this.#options.beforeConnect?.();
			const address = await this.#address();
			if (life !== this.#life) return;
			this.#socket = new this.#options.WebSocket(...address);
		} catch (error) {
			if (life !== this.#life) return;
			// A hook of the application says "never again" with a NetraError; anything else may be the network.
			const { code, message } = error;
			if (error instanceof NetraError) this.#end("stopped", { code, message });
			else this.#retry({ code: "unreachable", message });
			return;
		}
		this.#farewell = null;
		this.#socket.onopen = () => this.#opened();
		this.#socket.onmessage = ({ data }) => {
			this.#heard = Date.now();
			this.#on.received(data);
		};
		this.#socket.onclose = ({ code }) => this.#closed(code);
	}

	async #address() {
		const { url = defaultUrl(), token, ticket } = this.#options;
		// Browsers cannot set headers on a WebSocket: a token travels as a subprotocol, which is not logged as URLs are.
		const bearer = typeof token === "function" ? await token() : token;
		if (bearer) return [url, [...SUBPROTOCOLS, `bearer.${bearer}`]];
		const query = ticket ? `${url.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(await ticket())}` : "";
		return [url + query, SUBPROTOCOLS];
	}

	#opened() {
		const { stableMs, keepAliveMs } = this.#options;
		this.#heard = Date.now();
		this.#timers.stable = setTimeout(() => (this.#attempt = 0), stableMs);
		this.#timers.keepAlive = setInterval(() => Date.now() - this.#heard >= keepAliveMs && this.#probe(), keepAliveMs);
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
		const ceiling = Math.min(maxBackoffMs, backoffMs * 2 ** this.#attempt);
		// Half by chance: clients of a lost server must not come back in one wave. One that names a time has spread them.
		const delay = retryAfterMs ?? (ceiling * (1 + random())) / 2 + extra;
		this.#attempt += 1;
		this.#tell("waiting", { ...why, retryAt: Date.now() + delay });
		this.#timers.retry = setTimeout(() => this.#open(), delay);
	}

	#end(state, why) {
		this.#life += 1;
		this.#letGo(1000);
		clearTimeout(this.#timers.retry);
		this.#attempt = 0;
		this.#tell(state, why);
		this.#on.ended(new NetraError(why.code, why.message ?? "The connection is closed", this.#farewell ?? {}));
	}

	/** At once: a dead connection's close handshake can take a browser a minute. */
	#letGo(code) {
		const socket = this.#socket;
		clearTimeout(this.#timers.stable);
		clearTimeout(this.#timers.pong);
		clearInterval(this.#timers.keepAlive);
		this.#timers.pong = this.#socket = null;
		if (!socket) return;
		socket.onopen = socket.onmessage = socket.onclose = null;
		if (code || socket.readyState < 2) socket.close(code);
	}

	/** The server's own pings are invisible to a page, and a cut cable closes nothing. */
	#probe() {
		if (this.#timers.pong) return;
		const asked = Date.now();
		this.send('{"action":"ping"}');
		this.#timers.pong = setTimeout(() => {
			this.#timers.pong = null;
			if (this.#heard < asked) this.#closed(1006);
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
	return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
}
