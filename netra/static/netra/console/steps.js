/** The steps of one run as a list: thoughts, tool calls, answers, states. Approvals are in `approval.js`. */

import { ApprovalView } from "./approval.js";
import { h, icon, setAttribute, setText } from "./dom.js";
import { duration, oneLine, plural } from "./format.js";
import { MarkdownView } from "./markdown-view.js";
import { TOOL_STATUS } from "./words.js";

// A run of thousands of steps shows how it began and where it is; what lies between is folded until asked for.
const UNFOLDED = 120;
const HEAD = 10;
const TAIL = 40;
const MAX_TAIL = 400;
const REVEAL = 100;
// Bars share one scale, so that lengths can be compared: the full width is this, or the run's longest call.
const BAR_FULL_MS = 2_000;

class ToolView {
  constructor(step, select) {
    this.step = step;
    this.name = h("span", { class: "name" });
    this.args = h("span", { class: "args" });
    this.fill = h("span", { class: "fill" });
    this.took = h("span", { class: "took" });
    this.verdict = h("span", { class: "verdict" });
    this.row = h("button", { type: "button", class: "row", tabindex: "-1", onclick: () => select(this.step) },
      icon("tool"), this.name, this.args, h("span", { class: "bar", "aria-hidden": "true" }, this.fill), this.took, this.verdict);
    this.error = h("p", { class: "row-error", hidden: true });
    this.element = h("li", { class: "step tool" }, this.row, this.error);
  }

  update(now, longest) {
    const { step } = this;
    setAttribute(this.element, "data-status", step.status);
    setText(this.name, step.name);
    setText(this.args, oneLine(step.arguments));
    setText(this.verdict, TOOL_STATUS[step.status] ?? step.status);
    this.error.hidden = step.status !== "error" || !step.error; // stopped and denied say all in one word
    setText(this.error, step.error ?? "");
    this.tick(now, longest);
  }

  tick(now, longest) {
    const ms = this.step.durationMs ?? Math.max(0, now - this.step.at);
    setText(this.took, duration(ms));
    this.fill.style.width = `${Math.max(1, Math.min(100, (100 * ms) / Math.max(BAR_FULL_MS, longest)))}%`;
  }
}

class ThoughtView {
  constructor(step, select) {
    this.step = step;
    this.chosen = null; // what the reader wants, once they said so
    this.title = h("span", { class: "name" });
    this.preview = h("span", { class: "args" });
    const toggle = () => {
      this.chosen = this.body.hidden;
      this.#open(this.chosen);
      select(this.step, { toggled: true });
    };
    this.row = h("button", { type: "button", class: "row", tabindex: "-1", onclick: toggle },
      icon("chevron"), this.title, this.preview);
    this.body = h("div", { class: "thought-text", dir: "auto", hidden: true });
    this.element = h("li", { class: "step thought" }, this.row, this.body);
  }

  update(now, longest, run) {
    const { step } = this;
    setText(this.body, step.text);
    setText(this.preview, step.text.slice(0, 200).replace(/\s+/g, " "));
    setAttribute(this.element, "data-status", step.status);
    // It speaks while it grows, and steps back when the answer comes.
    const answered = run.steps.at(-1).kind === "message";
    this.#open(this.chosen ?? (!run.isOver && !answered && run.steps.at(-1) === step));
    if (step.status === "running") this.body.scrollTop = this.body.scrollHeight;
    this.tick(now);
  }

  tick(now) {
    const ms = Math.max(0, (this.step.endAt ?? now) - this.step.at);
    const running = this.step.status === "running";
    setText(this.title, running ? "Thinking" : ms < 100 ? "Thought" : `Thought for ${duration(ms)}`);
  }

  #open(open) {
    this.body.hidden = !open;
    setAttribute(this.row, "aria-expanded", open);
  }
}

class MessageView {
  constructor(step) {
    this.step = step;
    this.markdown = new MarkdownView();
    this.element = h("li", { class: "step message" }, this.markdown.element);
  }

  update(now, longest, run) {
    this.markdown.update(this.step.text);
    setAttribute(this.element, "data-growing", !run.isOver && run.steps.at(-1) === this.step);
  }

  tick() {}
}

class StateView {
  constructor(step, select) {
    this.step = step;
    this.name = h("span", { class: "name" });
    this.args = h("span", { class: "args" });
    this.row = h("button", { type: "button", class: "row", tabindex: "-1", onclick: () => select(this.step) },
      icon("state"), this.name, this.args);
    this.element = h("li", { class: "step state" }, this.row);
  }

  update() {
    setText(this.name, this.step.count > 1 ? `State, changed ${this.step.count} times` : "State");
    setText(this.args, oneLine(this.step.state));
  }

  tick() {}
}

const VIEWS = { tool: ToolView, thought: ThoughtView, message: MessageView, state: StateView, approval: ApprovalView };

/** Stands where steps are folded. */
class Fold {
  constructor(reveal) {
    this.row = h("button", { type: "button", class: "row", tabindex: "-1", onclick: () => reveal(this.from, this.to) });
    this.element = h("li", { class: "step fold" }, this.row);
  }

  update(steps, from, to) {
    Object.assign(this, { from, to });
    let failed = 0;
    for (let index = from; index < to; index += 1) if (steps[index].status === "error") failed += 1;
    const more = Math.min(REVEAL, to - from);
    setText(this.row, `${plural(to - from, "step")} folded${failed ? `, ${failed} of them failed` : ""} · Show ${more} more`);
  }
}

export class StepList {
  /** `actions`: what the views may ask for (`select`, `respond`). */
  constructor(run, actions) {
    this.run = run;
    this.actions = actions;
    this.views = new Map(); // of the steps that are shown
    this.folds = [];
    this.tail = 0; // index of the first step of the part that follows the run
    this.revealed = []; // [from, to) that the reader asked for
    this.drawn = -1;
    this.selected = null;
    this.element = h("ol", { class: "steps" });
  }

  /** `following`: the reader is at the end, so what is above may fold without moving what they read. */
  update(now, following) {
    const { run } = this;
    this.longest = Math.max(0, ...run.steps.slice(-MAX_TAIL).map((step) => step.durationMs ?? 0));
    if (run.steps.length !== this.drawn) {
      const before = run.steps[this.drawn - 1];
      if (before) run.changed.add(before); // a thought that is not the last any more folds
      for (const step of run.steps.slice(-TAIL)) if (step.kind === "thought") run.changed.add(step);
      this.#arrange(following);
      this.drawn = run.steps.length;
    }
    for (const step of run.changed) this.views.get(step.index)?.update(now, this.longest, run);
    run.changed.clear();
  }

  tick(now) {
    for (const view of this.views.values()) {
      if (view.step.status === "running" || view.step.status === "waiting") view.tick(now, this.longest);
    }
  }

  /** Unfold around a step and return its element. */
  show(step, now) {
    if (!this.views.has(step.index)) {
      this.revealed.push([Math.max(0, step.index - REVEAL / 2), Math.min(this.run.steps.length, step.index + REVEAL / 2)]);
      this.#arrange(false, now);
    }
    return this.views.get(step.index)?.element ?? null;
  }

  select(step) {
    this.selected?.removeAttribute("aria-current");
    this.selected = (step && this.views.get(step.index)?.row) ?? null;
    this.selected?.setAttribute("aria-current", "true");
  }

  #arrange(following, now = Date.now()) {
    const { steps } = this.run;
    const ranges = this.#ranges(steps.length, following);
    const wanted = [];
    const folds = [];
    const keep = new Set();
    let next = 0;
    for (const [from, to] of [...ranges, [steps.length, steps.length]]) {
      if (from > next) {
        const fold = this.folds[folds.length] ?? new Fold((start, end) => this.#reveal(start, end));
        fold.update(steps, next, from);
        folds.push(fold);
        wanted.push(fold.element);
      }
      for (let index = from; index < to; index += 1) {
        keep.add(index);
        wanted.push(this.#view(steps[index]).element);
      }
      next = to;
    }
    for (const index of this.views.keys()) if (!keep.has(index)) this.views.delete(index);
    this.folds = folds;
    this.#place(wanted);
  }

  #ranges(count, following) {
    if (count <= UNFOLDED) return [[0, count]];
    if (following || count - this.tail > MAX_TAIL) this.tail = Math.max(this.tail, count - TAIL);
    const ranges = [[0, HEAD], ...this.revealed, [this.tail, count]].sort((one, other) => one[0] - other[0]);
    const merged = [];
    for (const [from, to] of ranges) {
      const last = merged.at(-1);
      if (last && from <= last[1]) last[1] = Math.max(last[1], to);
      else merged.push([from, to]);
    }
    return merged;
  }

  #view(step) {
    let view = this.views.get(step.index);
    if (!view) {
      view = new VIEWS[step.kind](step, (chosen, how) => this.actions.select(this.run, chosen, how), this.run, this.actions);
      this.views.set(step.index, view);
      view.update(this.actions.now(), this.longest ?? 0, this.run);
    }
    return view;
  }

  /** Make the children these, moving as few as possible: what holds the focus or a selection must not be taken out. */
  #place(wanted) {
    let at = this.element.firstElementChild;
    const remaining = new Set(wanted);
    for (const element of wanted) {
      while (at && !remaining.has(at)) {
        const gone = at;
        at = at.nextElementSibling;
        gone.remove();
      }
      if (at === element) at = at.nextElementSibling;
      else this.element.insertBefore(element, at);
    }
    while (at) {
      const gone = at;
      at = at.nextElementSibling;
      gone.remove();
    }
    if (!this.element.querySelector('.row[tabindex="0"]')) this.element.querySelector(".row")?.setAttribute("tabindex", "0");
  }

  #reveal(from, to) {
    this.revealed.push([from, Math.min(to, from + REVEAL)]);
    this.#arrange(false);
    this.views.get(from)?.row?.focus();
  }
}
