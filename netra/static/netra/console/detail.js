/** The selected step in full: arguments, result, text, timing, raw frames. Or the run, when that is selected. */

import { copyButton, h, icon } from "./dom.js";
import { absolute, duration, number, pretty } from "./format.js";
import { RUN_STATUS, TOOL_STATUS, approvalOutcome } from "./words.js";

const KINDS = { tool: "Tool call", thought: "Thought", message: "Answer", state: "State", approval: "Approval" };

export class Detail {
  /** `linkTo(run, seq)` gives the address of an event, `close` goes back to the run. */
  constructor(element, { linkTo, close }) {
    this.element = element;
    this.linkTo = linkTo;
    this.close = close;
    this.shown = null;
    this.clear();
  }

  clear() {
    this.shown = null;
    this.drawn = null;
    this.element.removeAttribute("data-open");
    this.element.replaceChildren(h("p", { class: "placeholder" }, "Select a step to see it in full."));
  }

  show(run, step) {
    this.shown = { run, step };
    this.element.setAttribute("data-open", "");
    this.update();
  }

  /** Draw again when what is shown has changed. */
  update() {
    if (!this.shown) return;
    const { run, step } = this.shown;
    const version = step ? `${run.id} ${step.key} ${step.count} ${step.status}` : `${run.id} ${run.lastSeq} ${run.status}`;
    if (version === this.drawn) return;
    const sameSubject = this.subject === (step ?? run);
    const top = sameSubject ? this.element.scrollTop : 0;
    const raw = sameSubject && this.element.querySelector("details")?.open;
    this.drawn = version;
    this.subject = step ?? run;
    this.element.replaceChildren(this.#head(run, step), ...(step ? this.#step(run, step) : this.#run(run)));
    const details = this.element.querySelector("details");
    if (details && raw) details.open = true;
    this.element.scrollTop = top;
  }

  #head(run, step) {
    const seq = step?.seq ?? run.firstSeq;
    const link = () => new URL(this.linkTo(run, step ? seq : null), location.href).href;
    return h("header", { class: "detail-head" },
      h("button", { type: "button", class: "icon-button back", "aria-label": "Back to the run", onclick: this.close }, icon("back")),
      h("h2", {}, step ? (step.kind === "tool" ? step.name : KINDS[step.kind]) : "Run"),
      copyButton(link, "Copy link"),
      h("button", { type: "button", class: "icon-button close", "aria-label": "Close the details", onclick: this.close }, icon("close")));
  }

  #step(run, step) {
    const facts = [["Kind", KINDS[step.kind]]];
    if (step.kind === "tool") facts.push(["Outcome", TOOL_STATUS[step.status] ?? step.status]);
    if (step.kind === "approval") facts.push(["Decision", step.status === "waiting" ? "Not yet" : approvalOutcome(step, step.where)]);
    if (step.kind === "approval" && step.name) facts.push(["Tool", step.name]);
    facts.push(["Began", time(step.at)]);
    if (step.endAt !== null) facts.push(["Ended", time(step.endAt)], ["Took", duration(step.durationMs ?? step.endAt - step.at)]);
    if (run.startedAt !== null) facts.push(["Into the run", duration(step.at - run.startedAt)]);
    if (step.kind === "approval" && step.expiresAt) facts.push(["Expires", time(Date.parse(step.expiresAt))]);
    const raw = step.first === step.last ? [step.first] : [step.first, step.last];
    return [
      list(facts),
      step.message && text("Why", step.message),
      step.arguments !== undefined && json("Arguments", step.arguments),
      step.error !== undefined && step.error !== null && text("Error", step.error),
      step.status === "ok" && step.kind === "tool" && json("Result", step.result),
      step.kind === "state" && json("State", step.state),
      step.value !== undefined && step.value !== null && json("Value given", step.value),
      step.text && text(step.kind === "message" ? "Answer, as it was written" : "Text", step.text),
      frames(raw, step.count),
    ].filter(Boolean);
  }

  #run(run) {
    const facts = [["State", RUN_STATUS[run.status]], ["Agent", run.agentType]];
    if (run.askedAt !== null) facts.push(["Asked", time(run.askedAt)]);
    if (run.startedAt !== null) facts.push(["Began", time(run.startedAt)]);
    if (run.endedAt !== null) facts.push(["Ended", time(run.endedAt)], ["Took", duration(run.durationMs)]);
    facts.push(["Events", number(run.eventCount)], ["Run", identity(run.id)]);
    return [
      list(facts),
      json("Input", run.input),
      run.result !== undefined && json("Result", run.result),
      run.usage && json("Usage", run.usage),
      run.failure && json("Failure", run.failure),
      frames([run.started, run.terminal].filter(Boolean), run.eventCount),
    ].filter(Boolean);
  }
}

function list(facts) {
  return h("dl", {}, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function time(at) {
  return h("time", { datetime: new Date(at).toISOString(), title: absolute(at) }, new Date(at).toLocaleTimeString());
}

function identity(id) {
  return h("span", { class: "identity" }, h("code", {}, id), copyButton(id));
}

function section(title, content, copied) {
  const bar = h("div", { class: "code-bar" }, h("h3", {}, title), copyButton(copied));
  return h("section", { class: "code" }, bar, content);
}

function json(title, value) {
  const shown = pretty(value);
  return section(title, h("pre", { tabindex: "0" }, h("code", {}, shown)), shown);
}

function text(title, value) {
  return section(title, h("pre", { class: "wrapped", tabindex: "0", dir: "auto" }, value), value);
}

function frames(events, count) {
  if (!events.length) return null;
  const shown = events.map(pretty).join("\n\n");
  const hidden = count - events.length;
  const title = hidden > 0 ? `Raw frames (first and last of ${number(count)})` : events.length > 1 ? "Raw frames" : "Raw frame";
  return h("details", {}, h("summary", {}, title), section("JSON", h("pre", { tabindex: "0" }, h("code", {}, shown)), shown));
}
