/** One run: what was asked, what happened, how it ended. */

import { copyButton, h, icon, setAttribute, setText } from "./dom.js";
import { absolute, asked, duration, moment, number, plural, pretty, tokens } from "./format.js";
import { MarkdownView } from "./markdown-view.js";
import { StepList } from "./steps.js";
import { Timeline } from "./timeline.js";
import { RUN_STATUS, failureTitle, stoppedBy } from "./words.js";

const LONG_QUESTION = 600;
// A failure whose cause is only in the log names it at its end.
const WITH_INCIDENT = /^(.*?)\s*Incident (\S+?)\.?$/s;

export class RunCard {
  /** `actions`: select(run, step, how), respond(run, step, approved), stop(run), agentLabel(name), now(). */
  constructor(run, actions) {
    this.run = run;
    this.actions = actions;
    this.timeline = new Timeline(run, actions.select);
    this.steps = new StepList(run, actions);
    this.who = h("span", { class: "agent" });
    this.when = h("time", { class: "quiet" });
    this.asked = h("div", { class: "asked" });
    this.outcome = h("div", { class: "outcome" });
    this.foot = h("footer", { class: "foot" });
    this.element = h("article", { class: "run", "data-run": run.id, tabindex: "-1" },
      h("header", {}, this.who, this.when), this.asked, this.timeline.element, this.steps.element, this.outcome, this.foot);
    this.shownInput = undefined;
  }

  update(now, following, runsBefore) {
    const { run } = this;
    setAttribute(this.element, "data-status", run.status);
    setAttribute(this.element, "aria-label", `${this.actions.agentLabel(run.agentType)}: ${RUN_STATUS[run.status]}`);
    setText(this.who, this.actions.agentLabel(run.agentType));
    if (run.askedAt !== null) {
      setText(this.when, moment(run.askedAt, now));
      setAttribute(this.when, "datetime", new Date(run.askedAt).toISOString());
      setAttribute(this.when, "title", absolute(run.askedAt));
    }
    this.#drawQuestion();
    this.steps.update(now, following);
    this.timeline.update(now);
    this.#drawOutcome(runsBefore);
    this.#drawFoot(now);
  }

  tick(now) {
    if (this.run.isOver || this.run.startedAt === null) return;
    this.steps.tick(now);
    this.timeline.tick(now);
    this.#drawFoot(now);
  }

  mark(step) {
    this.steps.select(step);
    this.timeline.mark(step);
  }

  #drawQuestion() {
    const { input } = this.run;
    if (input === this.shownInput) return;
    this.shownInput = input;
    const text = asked(input);
    if (text === null) {
      this.asked.replaceChildren(h("pre", { tabindex: "0" }, h("code", {}, pretty(input))));
      return;
    }
    const body = h("p", { dir: "auto" }, text);
    const isLong = text.length > LONG_QUESTION || text.split("\n").length > 8;
    const more = isLong && h("button", { type: "button", class: "link", "aria-expanded": "false" }, "Show all of it");
    if (more) {
      body.classList.add("clipped");
      more.addEventListener("click", () => {
        const clipped = body.classList.toggle("clipped");
        setText(more, clipped ? "Show all of it" : "Show less");
        setAttribute(more, "aria-expanded", !clipped);
      });
    }
    this.asked.replaceChildren(...[body, more].filter(Boolean));
    this.asked.hidden = !text;
  }

  /** What there is to say beside the steps: not begun yet, failed, stopped, or a result nothing else has shown. */
  #drawOutcome(runsBefore) {
    const { run } = this;
    const key = `${run.status} ${runsBefore} ${run.stopping} ${run.steps.length === 0}`;
    if (key === this.shownOutcome) return;
    this.shownOutcome = key;
    this.outcome.replaceChildren(...[this.#outcome(runsBefore)].flat().filter(Boolean));
  }

  #outcome(runsBefore) {
    const { run } = this;
    switch (run.status) {
      case "sending":
        return h("p", { class: "quiet pulse" }, "Sending…");
      case "queued": {
        const behind = runsBefore ? `behind ${plural(runsBefore, "other run")}` : "it is next";
        return h("div", { class: "notice" }, h("p", {}, `Queued, ${behind}`), this.#stopButton("Take it out of the queue"));
      }
      case "running":
        return run.steps.length ? null : h("p", { class: "quiet pulse" }, "Started");
      case "failed":
        return this.#failure();
      case "cancelled":
        return h("p", { class: "notice" }, run.startedAt === null ? "Taken out of the queue before it began" : stoppedBy(run.reason));
      case "completed":
        return this.#result();
      default:
        return null;
    }
  }

  #stopButton(label) {
    const button = h("button", { type: "button", class: "secondary", onclick: () => this.actions.stop(this.run) }, label);
    button.disabled = this.run.stopping;
    return button;
  }

  #failure() {
    const { code, message, retried_as: retriedAs } = this.run.failure;
    const [, text, incident] = WITH_INCIDENT.exec(message) ?? [null, message, null];
    return h("div", { class: "failure" },
      h("p", { class: "title" }, icon("warning"), failureTitle(code)),
      h("p", { dir: "auto" }, text),
      incident && h("p", { class: "incident" }, "Incident ", h("code", {}, incident), copyButton(incident),
        h("span", { class: "quiet" }, "Give this to whoever runs the server: it finds the cause in the log.")),
      retriedAs && h("p", {}, "It was started again as ",
        h("a", { href: this.actions.linkTo({ id: retriedAs }) }, "a new run"), "."));
  }

  #result() {
    const { run } = this;
    if (run.result === null || run.result === undefined || run.steps.some((step) => step.kind === "message")) return null;
    if (typeof run.result === "string") {
      const view = new MarkdownView();
      view.update(run.result);
      return h("div", { class: "result" }, view.element);
    }
    const text = pretty(run.result);
    return h("div", { class: "code result" }, h("div", { class: "code-bar" }, h("span", {}, "result"), copyButton(text)),
      h("pre", { tabindex: "0" }, h("code", {}, text)));
  }

  #drawFoot(now) {
    const { run } = this;
    this.foot.hidden = run.startedAt === null && !run.isOver;
    const parts = [RUN_STATUS[run.status]];
    if (run.stopping && !run.isOver) parts[0] = "Stopping…";
    if (run.startedAt !== null) parts.push(duration(run.durationMs ?? (run.endedAt ?? now) - run.startedAt));
    const used = tokens(run.usage);
    if (used !== null) parts.push(plural(used, "token"));
    if (run.failedTools) parts.push(`${plural(run.failedTools, "tool call")} failed`);
    if (run.eventCount) parts.push(plural(run.eventCount, "event"));
    const text = parts.join(" · ");
    if (!this.footText) {
      this.footText = h("button", { type: "button", class: "link", onclick: () => this.actions.select(run, null, {}) });
      this.foot.append(h("span", { class: "dot", "aria-hidden": "true" }), this.footText);
    }
    setText(this.footText, text);
    setAttribute(this.footText, "title", `Run ${run.id}, ${number(run.eventCount)} events. Press for details.`);
  }
}
