/** The threads of the user, newest first, each with the state of what goes on in it. */

import { h, setAttribute, setText } from "./dom.js";
import { absolute, asked, moment } from "./format.js";
import { address } from "./router.js";

const STATUS_WORDS = { queued: "queued", running: "running", waiting: "waiting for you", failed: "failed" };
const TERMINAL = { agent_completed: "completed", agent_failed: "failed", agent_cancelled: "cancelled" };
const TITLE_LENGTH = 80;

export class ThreadList {
  constructor({ element, search, more, loadMore }) {
    this.element = element;
    this.search = search;
    this.more = more;
    this.items = new Map();
    this.current = null;
    this.complete = false; // every thread there is has been loaded
    this.empty = element.parentElement.querySelector(".no-threads");
    search.addEventListener("input", () => {
      this.draw();
      if (search.value && !this.complete) loadMore();
    });
    more.addEventListener("click", () => loadMore());
  }

  get oldest() {
    let oldest = null;
    for (const item of this.items.values()) if (item.synced && (!oldest || item.updatedAt < oldest)) oldest = item.updatedAt;
    return oldest;
  }

  /** A page of `sync`. Returns the threads whose state is not known yet, with their cursors. */
  addPage(threads, limit, isFirst) {
    if (!isFirst || threads.length < limit) this.complete = threads.length < limit;
    const unknown = {};
    for (const summary of threads) {
      const item = this.#item(summary.thread_id);
      item.synced = true;
      item.title = summary.title || item.title;
      if (summary.updated_at > item.updatedAt) item.updatedAt = summary.updated_at;
      if (item.status === null) unknown[summary.thread_id] = summary.last_seq;
      if (item.status === null && summary.active_run_id) item.status = "running";
    }
    this.draw();
    return unknown;
  }

  /** `resumed` says what goes on in a thread without any event. */
  setStatus(threadId, runId, status) {
    const item = this.items.get(threadId);
    if (!item) return;
    item.status = status ?? "completed";
    item.runId = runId;
    this.draw();
  }

  applyEvent(event) {
    const item = this.#item(event.thread_id);
    const { event_type: type, run_id: runId, data } = event;
    if (event.timestamp > item.updatedAt && (type === "agent_started" || type === "run_queued" || TERMINAL[type])) {
      item.updatedAt = event.timestamp; // not for every event: a list that never rests cannot be read
    }
    const before = item.status;
    if (item.status === null) Object.assign(item, { runId, status: "running" }); // joined in the middle
    if (type === "run_queued" && !["running", "waiting"].includes(item.status)) Object.assign(item, { runId, status: "queued" });
    if (type === "agent_started") {
      Object.assign(item, { runId, status: "running" });
      item.title ||= titleFrom(data.input);
    }
    if (item.runId === runId || item.runId === null) {
      if (type === "approval_requested") item.status = "waiting";
      if (type === "approval_resolved") item.status = "running";
      if (TERMINAL[type]) item.status = TERMINAL[type];
    }
    return item.status !== before || type === "agent_started";
  }

  /** A thread of which the server has not heard yet. */
  addSent(threadId, input, now) {
    const item = this.#item(threadId);
    item.title ||= titleFrom(input);
    item.updatedAt = new Date(now).toISOString();
    this.draw();
  }

  remove(threadId) {
    this.items.delete(threadId);
    this.draw();
  }

  title(threadId) {
    return this.items.get(threadId)?.title || "Untitled";
  }

  setCurrent(threadId) {
    this.current = threadId;
    this.draw();
  }

  count(status) {
    let count = 0;
    for (const item of this.items.values()) if (item.status === status) count += 1;
    return count;
  }

  draw() {
    const wanted = this.search.value.trim().toLowerCase();
    const now = Date.now();
    const items = [...this.items.values()]
      .filter((item) => !wanted || item.title.toLowerCase().includes(wanted))
      .sort((one, other) => (one.updatedAt < other.updatedAt ? 1 : -1));
    items.forEach((item, index) => {
      this.#drawItem(item, now);
      // Only what is out of place is moved, so that the focus stays where it is.
      if (this.element.children[index] !== item.element) this.element.insertBefore(item.element, this.element.children[index] ?? null);
    });
    while (this.element.children.length > items.length) this.element.lastElementChild.remove();
    this.more.hidden = this.complete;
    this.empty.hidden = items.length > 0 || !this.complete;
    setText(this.empty, wanted ? "No thread with these words in its title." : "No threads yet.");
  }

  #item(threadId) {
    let item = this.items.get(threadId);
    if (!item) {
      item = { id: threadId, title: "", updatedAt: "", status: null, runId: null, synced: false, element: null };
      this.items.set(threadId, item);
    }
    return item;
  }

  #drawItem(item, now) {
    if (!item.element) {
      item.titleElement = h("span", { class: "title", dir: "auto" });
      item.whenElement = h("time", { class: "quiet" });
      item.dot = h("span", { class: "dot" });
      item.words = h("span", { class: "state-words" });
      item.link = h("a", { href: address({ threadId: item.id }) }, item.dot, item.titleElement, item.whenElement, item.words);
      item.element = h("li", {}, item.link);
    }
    setText(item.titleElement, item.title || "Untitled");
    setAttribute(item.link, "title", item.title || "Untitled");
    const at = Date.parse(item.updatedAt);
    if (!Number.isNaN(at)) {
      setText(item.whenElement, moment(at, now));
      setAttribute(item.whenElement, "title", absolute(at));
    }
    setAttribute(item.element, "data-status", item.status ?? "completed");
    setText(item.words, STATUS_WORDS[item.status] ?? "");
    if (item.id === this.current) item.link.setAttribute("aria-current", "page");
    else item.link.removeAttribute("aria-current");
  }
}

function titleFrom(input) {
  const text = asked(input) ?? JSON.stringify(input);
  const [line] = text.trim().split("\n");
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1)}…` : line;
}
