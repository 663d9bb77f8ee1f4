/** The strip above a run: thoughts, tool calls and waits as spans to scale. */

import { h, setAttribute, setText } from "./dom.js";
import { duration, plural } from "./format.js";

const LANES = 4; // for tools that run side by side; more share the last
const MOST_SPANS = 300; // more than a strip has room for: neighbours are drawn as one
const SHOWN = new Set(["thought", "tool", "approval"]);
// While a run goes on, its end is not known. The axis grows in steps, so that what is drawn stays where it is.
const AXES = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600].map((seconds) => seconds * 1_000);

export class Timeline {
  constructor(run, select) {
    this.run = run;
    this.select = select;
    this.spans = [];
    this.buttons = [];
    this.strip = h("div", { class: "spans", role: "group", "aria-label": "Timeline of the run", onkeydown: (event) => this.#move(event) });
    this.end = h("span", { class: "axis" });
    this.element = h("div", { class: "timeline", hidden: true }, this.strip, this.end);
  }

  update(now) {
    this.spans = this.#layOut(now);
    this.element.hidden = this.spans.length === 0;
    setAttribute(this.strip, "data-lanes", Math.max(1, ...this.spans.map((span) => span.lane + 1)));
    this.spans.forEach((span, index) => this.#draw(this.buttons[index] ?? this.#button(index), span));
    for (const button of this.buttons.splice(this.spans.length)) button.remove();
    if (!this.strip.querySelector('[tabindex="0"]')) this.buttons[0]?.setAttribute("tabindex", "0");
    this.tick(now);
  }

  tick(now) {
    const start = this.run.startedAt;
    if (start === null || !this.spans.length) return;
    const elapsed = Math.max(1, (this.run.endedAt ?? now) - start);
    const axis = this.run.isOver ? elapsed : (AXES.find((length) => length >= elapsed) ?? elapsed * 1.25);
    const rescaled = axis !== this.axis;
    this.axis = axis;
    setText(this.end, duration(axis));
    this.spans.forEach((span, index) => {
      if (!rescaled && span.done && !span.fresh) return;
      const { style } = this.buttons[index];
      style.left = `${(100 * Math.max(0, span.from - start)) / axis}%`;
      style.width = `${(100 * Math.max(0, (span.to ?? now) - span.from)) / axis}%`;
      span.fresh = false;
    });
  }

  mark(step) {
    this.marked = step;
    this.spans.forEach((span, index) => setAttribute(this.buttons[index], "aria-current", this.#isMarked(span)));
  }

  #isMarked({ steps: [first, last] }) {
    return Boolean(this.marked) && first.index <= this.marked.index && this.marked.index <= last.index && first.kind === this.marked.kind;
  }

  #layOut(now) {
    const ends = []; // when each tool lane is free again
    const spans = [];
    const begin = this.run.startedAt ?? 0;
    const least = this.run.steps.length > MOST_SPANS ? ((this.run.endedAt ?? now) - begin) / MOST_SPANS : 0;
    const lastOfLane = new Map();
    for (const step of this.run.steps) {
      if (!SHOWN.has(step.kind)) continue;
      const lane = step.kind === "tool" ? this.#lane(ends, step) : 0;
      const previous = least && lastOfLane.get(`${step.kind}${lane}`);
      if (previous && previous.to !== null && step.at - previous.from < 2 * least) {
        previous.to = step.endAt;
        previous.steps[1] = step;
        previous.count += 1;
        if (step.status === "error") previous.status = "error";
        previous.done = step.endAt !== null;
        continue;
      }
      const span = {
        kind: step.kind, lane, from: step.at, to: step.endAt, status: step.status, steps: [step, step], count: 1,
        done: step.endAt !== null, fresh: true,
      };
      lastOfLane.set(`${step.kind}${lane}`, span);
      spans.push(span);
    }
    return spans;
  }

  #lane(ends, step) {
    let lane = ends.findIndex((end) => end <= step.at);
    if (lane === -1) lane = Math.min(ends.length, LANES - 1);
    ends[lane] = Math.max(ends[lane] ?? 0, step.endAt ?? Infinity);
    return lane;
  }

  #button(index) {
    const choose = (how) => this.select(this.run, this.spans[index].steps[0], how);
    const button = h("button", {
      type: "button",
      class: "span",
      tabindex: "-1",
      onclick: () => choose({}),
      onfocus: () => choose({ peek: true }),
      onpointerenter: (event) => event.pointerType === "mouse" && choose({ peek: true, hover: true }),
    });
    this.buttons.push(button);
    this.strip.append(button);
    return button;
  }

  #draw(button, span) {
    const version = `${span.kind} ${span.status} ${span.lane} ${span.count} ${span.steps[0].key} ${span.to}`;
    if (button.version === version) return;
    button.version = version;
    setAttribute(button, "data-kind", span.kind);
    setAttribute(button, "data-status", span.status);
    setAttribute(button, "data-lane", span.lane);
    const [step] = span.steps;
    const what = span.kind === "tool" ? step.name : span.kind === "thought" ? "Thought" : "Waiting for approval";
    const took = span.to === null ? "going on" : duration(span.to - span.from);
    const label = span.count > 1 ? `${plural(span.count, span.kind)}, ${took}` : `${what}, ${took}`;
    setAttribute(button, "aria-label", label);
    setAttribute(button, "title", label);
    setAttribute(button, "aria-current", this.#isMarked(span));
  }

  #move(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = this.buttons.indexOf(event.target);
    const next = by && this.buttons[at + by];
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }
}
