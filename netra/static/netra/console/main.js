/** The console: connects the client, what it knows of the threads, and the parts of the page. */

import { NetraClient, NetraError, newId } from "../netra-client.js";
import { everyBeat, observe, serverNow } from "./clock.js";
import { Composer } from "./composer.js";
import { ConnectionLine, isSessionOver, sessionOverPanel } from "./connection.js";
import { Detail } from "./detail.js";
import { h, setText } from "./dom.js";
import { duration } from "./format.js";
import { Thread } from "./model.js";
import { address, parse } from "./router.js";
import { StopBar } from "./stop-bar.js";
import { ThreadList } from "./thread-list.js";
import { ThreadView } from "./thread-view.js";
import { errorText, failureTitle } from "./words.js";

const PAGE = 50;
const KEPT_THREADS = 8; // threads held in memory, so that going back and forth is instant
const MAX_PAUSE_MS = 300;
const LONG_REPLAY = 300; // events from which on a replay is shown as progress instead of as it comes
// Told elsewhere on the page, or nothing the reader could do anything about.
const QUIET_ERRORS = new Set([
  "draining", "too_slow", "too_many_connections", "flooding", "unauthenticated", "token_expired", "session_revoked",
  "already_decided", "invalid_cursor", "disconnected",
]);

const $ = (selector) => document.querySelector(selector);

class Console {
  constructor(boot) {
    this.boot = boot;
    this.threads = new Map();
    this.dirty = new Set(); // runs to draw again; null: all
    this.decisions = new Map(); // approvals decided on this page
    this.route = null;
    this.drawMs = 0;
    this.drawnAt = 0;
    this.wide = matchMedia("(min-width: 80rem)");
    this.client = new NetraClient({ beforeConnect: () => this.#checkUser(), maxBackoffMs: 10_000 });
    this.list = new ThreadList({
      element: $("#threads ol"), search: $("#search"), more: $("#more-threads"), loadMore: () => this.#loadMore(),
    });
    const actions = {
      now: serverNow,
      agentLabel: (name) => this.boot.agents.find((agent) => agent.name === name)?.label ?? name,
      linkTo: (run, seq) => this.#linkTo(run, seq),
      select: (run, step, how) => this.#select(run, step, how),
      respond: (run, step, approved) => this.#respond(run, step, approved),
      stop: (run) => this.#stop(run),
    };
    this.view = new ThreadView($("#thread"), actions);
    this.detail = new Detail($("#detail"), { linkTo: actions.linkTo, close: () => this.#closeDetail() });
    this.composer = new Composer($("#composer"), { ...boot, send: (agent, input) => this.#send(agent, input) });
    this.connection = new ConnectionLine($("#connection"), () => this.client.wake());
    this.stopBar = new StopBar($("#stop-bar"), (run) => this.#stop(run));
    this.stopButton = $("#stop");
    this.stopButton.addEventListener("click", () => this.open?.active && this.#stop(this.open.active));
  }

  start() {
    const { client } = this;
    client.on("event", (event, meta) => this.#onEvent(event, meta));
    client.on("status", (status) => this.#onStatus(status));
    client.on("replaying", (replay) => this.#onReplaying(replay));
    client.on("resumed", (frame) => this.#onResumed(frame));
    client.on("reset", ({ threadId }) => this.#onReset(threadId));
    client.on("gap", (gap) => this.#onGap(gap));
    client.on("error", (error) => !QUIET_ERRORS.has(error.code) && this.composer.tell(this.#withIncident(error)));
    addEventListener("hashchange", () => this.#goTo(parse(location.hash), { reveal: true }));
    addEventListener("keydown", (event) => this.#onKey(event));
    // Addresses within the page are the router's; this link only moves the focus.
    $(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.composer.focus();
    });
    // What was typed and not sent belongs to who logs out, not to who logs in next.
    $("#threads form").addEventListener("submit", () => sessionStorage.clear());
    this.#drawWelcome();
    this.#goTo(parse(location.hash), { reveal: true });
    everyBeat(() => {
      this.view.tick();
      this.connection.tick();
    });
    client.connect();
  }

  /** The thread that is shown. */
  get open() {
    return this.view.thread;
  }

  // ---- what the server says ----------------------------------------------------------------------------------------

  #onEvent(event, { replayed }) {
    const thread = this.threads.get(event.thread_id);
    if (!replayed) {
      observe(event.timestamp);
      if (this.list.applyEvent(event)) this.listDirty = true;
    }
    const run = thread?.apply(event) ?? null;
    if (run && !replayed && event.event_type === "approval_resolved" && event.data.by === "user") {
      const mine = this.decisions.get(event.data.approval_id) === event.data.approved;
      run.stepAt(event.seq).where = mine ? "here" : "elsewhere";
    }
    if (run && thread === this.open) this.dirty?.add(run);
    if (!replayed) this.#announceEvent(event, run);
    this.#scheduleDraw();
  }

  #onStatus(status) {
    if (isSessionOver(status)) {
      this.#endSession(status.code);
      return;
    }
    this.connection.update(status);
    if (status.state === "open") {
      if (this.wasLost) this.#announce("Connected again");
      this.wasLost = false;
      this.#sync();
    } else if (status.state === "waiting" && !this.wasLost) {
      this.wasLost = true;
      this.#announce("Connection lost, nothing is lost with it");
    }
  }

  #onReplaying({ threadId, from, to }) {
    const thread = this.threads.get(threadId);
    if (!thread) return;
    if (thread.loading || to - Math.max(from, thread.head) > LONG_REPLAY) {
      thread.loading = { from: Math.max(from, thread.head + 1), to };
      this.#scheduleDraw();
    }
  }

  #onResumed(frame) {
    this.list.setStatus(frame.thread_id, frame.run_id, frame.run_status);
    const thread = this.threads.get(frame.thread_id);
    if (!thread?.loading) return;
    thread.loading = null;
    thread.isKnown = frame.last_seq > 0;
    if (thread === this.open) {
      this.dirty = null;
      this.#draw();
      this.#revealRoute();
    }
  }

  #onReset(threadId) {
    const thread = this.threads.get(threadId);
    if (!thread) return;
    const fresh = new Thread(threadId);
    fresh.loading = { from: 1, to: 0 };
    this.threads.set(threadId, fresh);
    if (thread === this.open) this.#openThread(threadId);
  }

  #onGap({ threadId, from, to }) {
    this.threads.get(threadId)?.missing.push([from, to]);
    this.#scheduleDraw();
  }

  async #sync() {
    try {
      const { threads } = await this.client.sync({ limit: PAGE });
      this.#addPage(threads, true);
    } catch (error) {
      if (!QUIET_ERRORS.has(error.code)) this.composer.tell(errorText(error));
    }
  }

  async #loadMore() {
    const before = this.list.oldest;
    if (this.loadingMore || this.list.complete || !before) return;
    this.loadingMore = true;
    try {
      const { threads } = await this.client.sync({ limit: PAGE, before });
      this.#addPage(threads, false);
    } catch {
      return; // the button is still there
    } finally {
      this.loadingMore = false;
    }
    if (this.list.search.value) this.#loadMore(); // a search looks at all there is
  }

  #addPage(threads, isFirst) {
    const unknown = this.list.addPage(threads, PAGE, isFirst);
    const { cursors } = this.client;
    // A resume at the head sends no event, and its answer says what goes on in the thread.
    const ask = Object.fromEntries(Object.entries(unknown).filter(([threadId]) => !(threadId in cursors)));
    if (Object.keys(ask).length) this.client.resumeAll(ask);
    this.#scheduleDraw();
    const isNewcomer = isFirst && threads.length === 0 && this.route.page === "home";
    if (isNewcomer && !this.list.items.size) this.#navigate({ page: "new" }, { replace: true });
  }

  // ---- what the reader does ----------------------------------------------------------------------------------------

  async #send(agentName, input) {
    const isNew = this.route.page !== "thread";
    const threadId = isNew ? newId() : this.route.threadId;
    const runId = newId();
    if (isNew) this.#remember(new Thread(threadId));
    const thread = this.threads.get(threadId);
    thread.isKnown = true;
    this.dirty?.add(thread.send(runId, agentName, input, serverNow()));
    this.list.addSent(threadId, input, serverNow());
    if (isNew) this.#navigate({ threadId });
    this.view.following = true;
    this.#draw();
    try {
      await this.client.start(agentName, input, { threadId, runId });
    } catch (error) {
      thread.unsend(runId);
      if (!thread.runs.length) {
        this.threads.delete(threadId);
        this.list.remove(threadId);
        if (this.route.threadId === threadId) this.#navigate({ page: "new" }, { replace: true });
      }
      this.#scheduleDraw();
      error.shown = this.#withIncident(error);
      throw error;
    }
  }

  async #stop(run) {
    if (run.isOver || run.stopping) return;
    run.stopping = true;
    this.#redraw(run);
    try {
      await this.client.stop(run.id);
    } catch (error) {
      if (error.code !== "run_finished") this.composer.tell(this.#withIncident(error));
    }
    run.stopping = false;
    this.#redraw(run);
  }

  #respond(run, step, approved) {
    this.decisions.set(step.approvalId, approved);
    return this.client.respond(run.id, step.approvalId, approved);
  }

  /** `how`: {peek} by focus or hover, {toggled} a thought was folded; otherwise it was pressed. */
  #select(run, step, { peek = false, hover = false, toggled = false } = {}) {
    if (!this.wide.matches && (peek || toggled)) {
      this.view.mark(run, step);
      return;
    }
    this.view.mark(run, step);
    this.detail.show(run, step);
    if (peek) {
      if (!hover) this.view.show(run, step);
      return;
    }
    const target = { threadId: this.open.id, runId: run.id, seq: step?.seq ?? null };
    this.#navigate(target, { replace: Boolean(this.route.runId) });
    if (!toggled) this.view.show(run, step);
  }

  #closeDetail() {
    this.#navigate({ threadId: this.route.threadId }, { replace: true });
  }

  #onKey(event) {
    const typing = event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (!$("#search").checkVisibility()) this.#navigate({ page: "home" });
      $("#search").focus();
    }
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    if (event.target === this.list.search) {
      this.list.search.value = "";
      this.list.draw();
    } else if ($("#detail").contains(event.target) || (this.route.runId && !this.open?.active)) {
      this.#closeDetail();
    } else if (this.open?.active && !this.open.active.stopping) {
      this.stopBar.ask(this.open.active);
    }
  }

  // ---- where the reader is -----------------------------------------------------------------------------------------

  #navigate(target, { replace = false } = {}) {
    const hash = address(target);
    if (hash !== location.hash) history[replace ? "replaceState" : "pushState"](null, "", hash);
    this.#goTo(parse(hash), {});
  }

  #goTo(route, { reveal = false }) {
    this.route = route;
    document.body.dataset.page = route.page;
    document.body.dataset.screen = route.page === "home" ? "threads" : route.runId ? "detail" : "thread";
    this.list.setCurrent(route.threadId ?? null);
    this.stopBar.hide();
    if (route.page === "thread") {
      this.#openThread(route.threadId);
      if (reveal && !this.open.loading) this.#revealRoute();
      if (!route.runId) this.#unselect();
    } else {
      this.view.open(null);
      this.#unselect();
    }
    this.composer.open(route.threadId ?? null);
    this.#scheduleDraw();
  }

  #openThread(threadId) {
    let thread = this.threads.get(threadId);
    if (!thread) {
      thread = this.#remember(new Thread(threadId));
      thread.loading = { from: 1, to: 0 };
      this.client.resume(threadId, 0).catch((error) => {
        if (error.code !== "invalid_action") return;
        thread.loading = null;
        this.#scheduleDraw();
      });
    }
    if (this.open === thread) return;
    this.view.open(thread);
    this.dirty = null;
  }

  #remember(thread) {
    this.threads.set(thread.id, thread);
    for (const id of this.threads.keys()) {
      if (this.threads.size <= KEPT_THREADS) break;
      if (id !== this.open?.id && id !== thread.id) this.threads.delete(id);
    }
    return thread;
  }

  /** Show what the address names: the end of the thread, a run, or one of its steps. */
  #revealRoute() {
    const { runId, seq } = this.route;
    const run = runId && this.open.byId.get(runId);
    if (!run) {
      this.view.scrollToEnd();
      return;
    }
    const step = seq === null ? null : run.stepAt(seq);
    this.view.show(run, step, { center: true });
    this.view.mark(run, step);
    this.detail.show(run, step);
  }

  #unselect() {
    this.view.mark(null);
    this.detail.clear();
  }

  #linkTo(run, seq) {
    return address({ threadId: this.open.id, runId: run.id, seq });
  }

  // ---- drawing -----------------------------------------------------------------------------------------------------

  #redraw(run) {
    this.dirty?.add(run);
    this.#scheduleDraw();
  }

  #scheduleDraw() {
    // Frames are not drawn in hidden tabs, but their titles are read.
    if (document.hidden) this.titleTimer ??= setTimeout(() => this.#drawTitle(), MAX_PAUSE_MS);
    if (this.scheduled) return;
    this.scheduled = true;
    // When drawing is expensive (a slow machine, a torrent of events), the page is left most of the time to the reader.
    const pause = Math.min(MAX_PAUSE_MS, 3 * this.drawMs) - (performance.now() - this.drawnAt);
    const draw = () => requestAnimationFrame(() => this.#draw());
    if (pause > 0) setTimeout(draw, pause);
    else draw();
  }

  #draw() {
    this.scheduled = false;
    if (this.isOver) return;
    const began = performance.now();
    const thread = this.open;
    if (this.listDirty) this.list.draw();
    this.listDirty = false;
    if (thread?.loading) {
      const { from, to } = thread.loading;
      const isLong = to - from > LONG_REPLAY;
      this.view.showProgress(isLong ? { from, to, seen: thread.head } : null);
    } else if (thread) {
      this.view.showProgress(null);
      this.view.draw(this.dirty);
      this.dirty = new Set();
      this.detail.update();
    }
    this.#drawHead(thread);
    this.#drawTitle();
    this.drawnAt = performance.now();
    this.drawMs = this.drawnAt - began;
  }

  #drawHead(thread) {
    const title = thread ? this.list.title(thread.id) : "New thread";
    setText($("#thread-title"), title);
    const active = thread?.loading ? null : (thread?.active ?? null);
    this.stopButton.hidden = !active;
    this.stopButton.disabled = Boolean(active?.stopping);
    if (!active || active !== this.stopBar.run) this.stopBar.hide();
    $("#welcome").hidden = Boolean(thread);
    const isEmpty = Boolean(thread) && !thread.loading && !thread.runs.length;
    $("#nothing").hidden = !isEmpty;
    const missing = thread?.missing.at(-1);
    $("#missing").hidden = !missing;
    if (missing) setText($("#missing"), `Events ${missing[0]} to ${missing[1]} are older than this server keeps them.`);
  }

  #drawTitle() {
    clearTimeout(this.titleTimer);
    this.titleTimer = null;
    if (this.isOver) return;
    const waiting = this.list.count("waiting");
    const running = this.list.count("running");
    const mark = waiting ? `(${waiting}) Waiting for you – ` : running ? "● " : "";
    const title = `${mark}${this.open ? `${this.list.title(this.open.id)} – ` : ""}Netra`;
    if (document.title !== title) document.title = title;
  }

  #drawWelcome() {
    const choose = (name) => {
      this.composer.choose(name);
      this.composer.focus();
    };
    $("#agents").replaceChildren(...this.boot.agents.map(({ name, label, description }) => {
      return h("li", {}, h("button", { type: "button", onclick: () => choose(name) },
        h("strong", {}, label ?? name), description && h("span", {}, description)));
    }));
    $("#no-agents").hidden = this.boot.agents.length > 0;
  }

  // ---- telling -----------------------------------------------------------------------------------------------------

  /** For screen readers: begun, waiting, over. Not every token. */
  #announceEvent(event, run) {
    const { event_type: type, data } = event;
    const here = event.thread_id === this.open?.id;
    const where = here ? "" : ` in ${this.list.title(event.thread_id)}`;
    if (type === "approval_requested") this.#announce(`Waiting for your approval${where}: ${data.message}`);
    if (!here) return;
    if (type === "agent_started") this.#announce("Run started");
    if (type === "run_queued") this.#announce("Run queued");
    if (type === "agent_completed") this.#announce(`Run finished in ${duration(data.duration_ms)}`);
    if (type === "agent_failed") this.#announce(`Run failed: ${failureTitle(data.code)}`);
    if (type === "agent_cancelled" && run) this.#announce("Run stopped");
  }

  #announce(text) {
    const region = $("#announcer");
    // The same words twice in a row would be no change, and no change is not read out.
    region.textContent = region.textContent === text ? `${text}\u00a0` : text;
  }

  #withIncident(error) {
    return error.incident ? `${errorText(error)} Incident ${error.incident}` : errorText(error);
  }

  // ---- whose page this is ------------------------------------------------------------------------------------------

  /**
   * Before coming back: is this still the same person? Somebody else may have logged in, in another tab, while this page
   * was offline; the new socket would then bring their threads into this page.
   */
  async #checkUser() {
    if (!this.hasConnected) {
      this.hasConnected = true; // the page itself has just been made for this user
      return;
    }
    const answer = await fetch(this.boot.urls.bootstrap, { cache: "no-store", headers: { Accept: "application/json" } });
    if (answer.status === 401) throw new NetraError("session_revoked", "Not logged in");
    if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    const { user, agents } = await answer.json();
    if (user.id !== this.boot.user.id) throw new NetraError("other_user", "Another user is logged in");
    this.boot.agents = agents;
    this.composer.setAgents(agents);
  }

  #endSession(code) {
    this.isOver = true;
    this.threads.clear();
    if (code === "session_revoked" || code === "other_user") sessionStorage.clear();
    document.title = "Logged out – Netra";
    document.body.replaceChildren(sessionOverPanel(code, this.boot.urls.login));
  }
}

new Console(JSON.parse($("#bootstrap").textContent)).start();
