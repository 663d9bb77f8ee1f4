/** The reader's location, selection, keys and login. */

import { NetraClient, NetraError } from "../netra-client.js";
import { Composer } from "./composer.js";
import { forgetAll } from "./drafts.js";
import { Feed } from "./feed.js";
import { draw, drawTitle } from "./page.js";
import { address, parse } from "./router.js";
import { Scroll } from "./scroll.js";
import { announcement, errorText, loggedOutText } from "./words.js";

const MAX_PAUSE_MS = 300;
const BEAT_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1_000 : 250;
const SESSION_OVER = ["unauthenticated", "token_expired", "session_revoked", "other_user"];

const $ = (selector) => document.querySelector(selector);

class Console {
	thread = null; // that is shown
	view = null; // its renderer, once loaded
	selected = null; // { run, step }; step is null when the run itself is
	status = { state: "idle", retryAt: null }; // of the connection
	wide = matchMedia("(min-width: 80rem)");
	search = $("#search");
	stopBar = $("#stop-bar");
	#drawMs = 0;
	#drawnAt = 0;

	constructor(boot) {
		this.boot = boot;
		this.client = new NetraClient({ beforeConnect: ({ signal }) => this.#checkUser(signal), maxBackoffMs: 10_000 });
		this.feed = new Feed(this.client, this);
		this.scroll = new Scroll($(".scroller"), $(".cards"), $(".to-end"));
		this.composer = new Composer($("#composer"), this);
		this.client.on("status", (status) => this.#onStatus(status));
		this.client.on("session_expiring", ({ expires_at: at }) => (this.expiresAt = Date.parse(at)));
		this.#listen();
		this.#goTo(parse(location.hash));
		setInterval(() => this.changed(), BEAT_MS);
		this.client.connect();
	}

	#listen() {
		addEventListener("hashchange", () => this.#goTo(parse(location.hash)));
		addEventListener("keydown", (event) => this.#onKey(event));
		this.wide.onchange = () => this.changed();
		$(".cards").onkeydown = moveBetween;
		this.search.oninput = () => {
			this.draw();
			if (this.search.value) this.#loadMore(); // a search needs all threads
		};
		$("#more-threads").onclick = () => this.#loadMore();
		$("#stop").onclick = () => this.stopArmed && this.feed.stop(this.thread.active);
		$("#try-now").onclick = () => this.client.wake();
		$(".to-end").onclick = () => {
			const { extent, runs } = this.thread;
			extent.showEnd();
			this.change(runs.at(-1), () => runs.at(-1).extent.showEnd());
			this.scroll.following = true;
			this.draw();
		};
		$("#agents").onclick = ({ target }) => {
			this.composer.choose(target.closest("button")?.value);
			this.composer.text.focus();
		};
		$(".skip").onclick = () => this.composer.text.focus();
		this.stopBar.onclose = ({ target }) => target.returnValue === "stop" && this.feed.stop(this.asked);
		this.stopBar.onkeydown = ({ repeat }) => !repeat; // a key held down from before does not count
		// Drafts must not reach the next user.
		$("#threads").onsubmit = forgetAll; // not every site has a form to log out with
	}

	linkTo(run, seq) {
		return address({ threadId: this.thread.id, runId: run.id, seq });
	}

	/** Pressed; or { peek }: focused, with { hover } pointed at; or { toggled }: a thought was folded. */
	select(run, step, { peek, hover, toggled }) {
		this.selected = { run, step };
		this.changed();
		if (!peek && (this.wide.matches || !toggled)) {
			const target = { threadId: this.thread.id, runId: run.id, seq: step?.seq };
			this.#navigate(target, { replace: Boolean(this.route.runId), selected: this.selected });
		}
		if (!hover && !toggled) this.#show(run, step, "nearest");
	}

	closeDetail() {
		this.#navigate({ threadId: this.thread.id }, { replace: true });
	}

	change(run, change) {
		change();
		run.version += 1;
		this.changed();
	}

	/** Without moving the text below. */
	unfold(run, change) {
		this.scroll.hold(() => {
			this.change(run, change);
			this.draw();
		});
	}

	async send(agent, input) {
		const [thread, started] = this.feed.send(this.route.threadId, agent, input);
		this.scroll.following = true;
		if (this.thread !== thread) this.#navigate({ threadId: thread.id });
		this.draw();
		try {
			await started;
		} catch (error) {
			if (!thread.runs.length && this.thread === thread) this.#navigate({ page: "new" }, { replace: true });
			this.changed();
			throw new Error(errorText(error));
		}
	}

	#onKey(event) {
		if (this.isOver || event.defaultPrevented || event.isComposing || this.stopBar.open) return;
		const active = this.thread?.active;
		if (event.key === "/" && !event.target.matches("input, textarea, select")) {
			event.preventDefault();
			if (!this.search.checkVisibility()) this.#navigate({ page: "home" });
			this.search.focus();
		} else if (event.key !== "Escape") {
			return;
		} else if (event.target === this.search) {
			this.search.value = "";
			this.draw();
		} else if (this.route.runId && (!active || $("#detail").contains(event.target))) {
			this.closeDetail();
		} else if (active && !active.stopping) {
			event.preventDefault(); // else the key closes it
			this.asked = active;
			this.stopBar.returnValue = "";
			this.stopBar.showModal();
		}
	}

	async #loadMore() {
		const { summaries } = this.feed;
		if (this.loadingMore || summaries.complete || !summaries.oldest) return;
		this.loadingMore = true;
		await this.feed.sync(summaries.oldest).catch(() => {}); // the button is still there
		this.loadingMore = false;
		if (this.search.value && this.status.state === "open") this.#loadMore();
	}

	#navigate(target, { replace, selected = null } = {}) {
		const hash = address(target);
		if (hash !== location.hash) history[replace ? "replaceState" : "pushState"](null, "", hash);
		this.#goTo(parse(hash), selected);
	}

	/** Without `selected`, what the address names is searched for and shown; null: nothing is selected. */
	#goTo(route, selected) {
		const { page, threadId, runId } = route;
		if (threadId && !this.view) this.#loadView();
		const thread = threadId ? this.feed.open(threadId) : null;
		if (thread !== this.thread) this.scroll.following = Boolean(thread);
		Object.assign(this, { route, thread, selected: selected ?? null });
		document.body.dataset.screen = page === "home" ? "threads" : runId ? "detail" : "thread";
		this.composer.open(threadId ?? null);
		if (thread && !thread.loading && selected === undefined) this.arrived(thread);
		else this.changed();
	}

	async #loadView() {
		try {
			this.view = await import("./thread-view.js");
		} catch {
			return this.composer.tell("Part of this page could not be loaded. Reload the page.");
		}
		if (this.thread && !this.thread.loading) this.arrived(this.thread);
		else this.changed();
	}

	/** The thread is loaded: show what the address names. */
	arrived(thread) {
		if (thread !== this.thread || !this.view) return;
		const run = this.thread.byId.get(this.route.runId);
		if (run) this.selected = { run, step: run.stepAt(this.route.seq) };
		this.draw();
		if (run) this.#show(run, this.selected.step, "center");
	}

	#show(run, step, block) {
		this.thread.extent.show(this.thread.runs.indexOf(run));
		if (step) run.extent.show(step.index);
		run.version += 1;
		this.draw();
		const card = $(`[data-run="${run.id}"]`);
		this.scroll.show((step && card.querySelector('.row[aria-current="true"]')) || card, block);
	}

	changed() {
		if (document.hidden) return drawTitle(this); // only the title of a hidden tab is visible
		if (this.scheduled) return;
		this.scheduled = true;
		// When drawing is expensive (a slow machine, a torrent of events), most of the time is left to the reader.
		const pause = Math.min(MAX_PAUSE_MS, 3 * this.#drawMs) - (performance.now() - this.#drawnAt);
		setTimeout(() => requestAnimationFrame(() => {
			this.scheduled = false;
			this.draw();
		}), pause);
	}

	draw() {
		if (this.isOver) return;
		const began = performance.now();
		draw(this);
		this.#drawnAt = performance.now();
		this.#drawMs = this.#drawnAt - began;
	}

	replaced() {
		this.#goTo(this.route);
	}

	happened(event) {
		this.#announce(announcement(event, event.thread_id !== this.thread?.id));
	}

	#announce(text) {
		const region = $("#announcer");
		// Unchanged text is not read out.
		if (text) region.textContent = region.textContent === text ? `${text}\u00a0` : text;
	}

	#onStatus(status) {
		const { state, code, closeCode } = status;
		if (state === "stopped" && (closeCode === 4401 || SESSION_OVER.includes(code))) return this.#endSession(code);
		// One that said it restarts is still restarting when the first attempts to come back fail without a word.
		const isRestarting = this.status.code === "draining" && state !== "open" && [null, "unreachable", "timeout"].includes(code);
		this.status = isRestarting ? { ...status, code: "draining" } : status;
		if (state === "open") {
			if (this.wasLost) this.#announce("Connected again");
			this.wasLost = false;
			this.wasOpen = true;
			this.#sync();
		} else if (state === "waiting" && !this.wasLost) {
			this.#announce("Connection lost. Your runs continue.");
			this.wasLost = true;
		}
		this.changed();
	}

	async #sync() {
		try {
			await this.feed.sync();
		} catch (error) {
			if (this.status.state === "open") this.composer.tell(errorText(error));
		}
		const { complete, items } = this.feed.summaries;
		if (complete && !items.size && this.route.page === "home") this.#navigate({ page: "new" }, { replace: true });
	}

	/** Another user may have logged in, in another tab: their threads must not appear here. */
	async #checkUser(signal) {
		if (!this.isKnown) return void (this.isKnown = true); // the page itself has just been made for this user
		const answer = await fetch(this.boot.urls.bootstrap, { cache: "no-store", signal });
		if (answer.status === 401) throw new NetraError("session_revoked", "Not logged in");
		const { user } = await answer.json();
		if (user.id !== this.boot.user.id) throw new NetraError("other_user", "Another user is logged in");
	}

	/** The page's content belongs to a user who is logged out. */
	#endSession(code) {
		this.isOver = true;
		this.feed.threads.clear();
		if (code === "session_revoked" || code === "other_user") forgetAll();
		document.title = "Logged out – Netra";
		const panel = $("#session-over").content.cloneNode(true);
		panel.querySelector(".why").textContent = loggedOutText(code);
		document.body.replaceChildren(panel);
		$("a").search = `?next=${encodeURIComponent(location.pathname + location.hash)}`;
	}
}

function moveBetween(event) {
	const ways = { ArrowDown: [".row", 1], ArrowUp: [".row", -1], ArrowRight: [".span", 1], ArrowLeft: [".span", -1] };
	const [kind, by] = ways[event.key] ?? ["none"];
	const all = [...document.querySelectorAll(kind)];
	const next = all.includes(event.target) && all[all.indexOf(event.target) + by];
	if (!next) return;
	event.preventDefault();
	next.focus();
}

new Console(JSON.parse($("#bootstrap").textContent));
