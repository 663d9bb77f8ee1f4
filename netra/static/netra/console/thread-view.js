/** The thread in the middle: its run cards, where the reader stands in it, and how much of it has arrived. */

import { h, setText } from "./dom.js";
import { number } from "./format.js";
import { RunCard } from "./run-card.js";

const AT_END_PX = 48;
const CARDS = 20; // newest runs that are shown at once; older ones on request

export class ThreadView {
  /** `actions` are those of the cards. */
  constructor(element, actions) {
    this.actions = actions;
    this.scroller = element.querySelector(".scroller");
    this.cardsElement = element.querySelector(".cards");
    this.progress = element.querySelector(".replay");
    this.toEnd = element.querySelector(".to-end");
    this.earlier = h("button", { type: "button", class: "secondary earlier", onclick: () => this.#showEarlier() });
    this.thread = null;
    this.cards = new Map();
    this.following = false; // the reader is at the end and wants to stay there
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.toEnd.addEventListener("click", () => this.scrollToEnd());
    // What grows without an event (a thought that opens, a window that narrows) must not leave the end behind either.
    new ResizeObserver(() => this.following && this.#stick()).observe(this.cardsElement);
    this.cardsElement.addEventListener("keydown", (event) => this.#moveBetweenSteps(event));
    this.cardsElement.addEventListener("focusin", (event) => this.#roveTo(event.target));
  }

  open(thread) {
    if (this.thread === thread) return;
    this.thread = thread;
    this.cards.clear();
    this.cardsElement.replaceChildren();
    this.from = null; // index of the oldest run that is shown
    this.following = Boolean(thread);
    this.scroller.scrollTop = 0;
    this.toEnd.hidden = true;
    this.showProgress(null);
  }

  /** Draw what has changed. `dirty`: the runs to look at, or null for all. */
  draw(dirty) {
    const { thread } = this;
    if (!thread) return;
    const now = this.actions.now();
    const newest = Math.max(0, thread.runs.length - CARDS);
    this.from = this.following && newest - this.from > 2 * CARDS ? newest : Math.min(this.from ?? newest, newest);
    const runs = thread.runs.slice(this.from);
    let at = this.cardsElement.firstElementChild;
    if (this.from > 0) {
      setText(this.earlier, `Show ${Math.min(CARDS, this.from)} of ${number(this.from)} earlier runs`);
      if (at !== this.earlier) this.cardsElement.prepend(this.earlier);
      at = this.earlier.nextElementSibling;
    } else {
      if (at === this.earlier) at = at.nextElementSibling;
      this.earlier.remove();
    }
    for (const run of runs) {
      let card = this.cards.get(run.id);
      const isNew = !card;
      if (isNew) {
        card = new RunCard(run, this.actions);
        this.cards.set(run.id, card);
      }
      if (card.element === at) at = at.nextElementSibling;
      else this.cardsElement.insertBefore(card.element, at);
      // A queued run shows its place, which changes by what happens to others.
      if (isNew || !dirty || dirty.has(run) || run.status === "queued") {
        card.update(now, this.following, run.status === "queued" ? thread.runsBefore(run) : 0);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextElementSibling;
      this.cards.delete(gone.dataset.run);
      gone.remove();
    }
    if (this.following) this.#stick();
    else this.toEnd.hidden = this.#isAtEnd();
  }

  tick() {
    const now = this.actions.now();
    for (const card of this.cards.values()) card.tick(now);
  }

  /** `{ seen, from, to }` while a long thread arrives, null when it has. */
  showProgress(replay) {
    this.progress.hidden = !replay;
    if (!replay) return;
    const total = replay.to - replay.from + 1;
    const seen = Math.max(0, Math.min(total, replay.seen - replay.from + 1));
    this.progress.querySelector("progress").value = seen / total;
    setText(this.progress.querySelector("span"), `Loading ${number(seen)} of ${number(total)} events`);
  }

  mark(run, step) {
    if (this.marked) this.cards.get(this.marked.id)?.mark(null);
    this.marked = run;
    if (run) this.cards.get(run.id)?.mark(step);
  }

  /** Bring a run, or a step of it, into view. */
  show(run, step, { center = false } = {}) {
    const index = this.thread.runs.indexOf(run);
    if (index < this.from) {
      this.from = index;
      this.draw(new Set());
    }
    const card = this.cards.get(run.id);
    const element = (step && card?.steps.show(step, this.actions.now())) ?? card?.element;
    if (!element) return;
    this.following = false;
    element.scrollIntoView({ block: center ? "center" : "nearest" });
    this.#scrolled();
  }

  scrollToEnd() {
    this.following = true;
    this.#stick();
  }

  #stick() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.toEnd.hidden = true;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < AT_END_PX;
  }

  #scrolled() {
    this.following = this.#isAtEnd();
    if (this.following) this.toEnd.hidden = true;
  }

  #showEarlier() {
    const { scroller } = this;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    this.from = Math.max(0, this.from - CARDS);
    this.draw(new Set());
    scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  #moveBetweenSteps(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !event.target.classList.contains("row")) return;
    const rows = [...this.cardsElement.querySelectorAll(".row")];
    const next = rows[rows.indexOf(event.target) + by];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /** One step of a run is in the tab order, so that Tab goes on to the next run; arrows reach the others. */
  #roveTo(target) {
    if (!target.classList.contains("row")) return;
    for (const row of target.closest(".steps").querySelectorAll('.row[tabindex="0"]')) row.setAttribute("tabindex", "-1");
    target.setAttribute("tabindex", "0");
  }
}
