/** A question the agent has stopped for: what it wants to do, why, with which arguments. */

import { copyButton, h, icon, setAttribute, setText } from "./dom.js";
import { absolute, fromNow, pretty } from "./format.js";
import { approvalOutcome, errorText } from "./words.js";

// Buttons that appear under a finger or a pressed key must not take that press for a decision.
const ARMING_MS = 700;

export class ApprovalView {
  constructor(step, select, run, actions) {
    this.step = step;
    this.run = run;
    this.actions = actions;
    this.shownAt = performance.now();
    this.title = h("span", { class: "name" });
    this.about = h("span", { class: "args" });
    this.row = h("button", { type: "button", class: "row", tabindex: "-1", onclick: () => select(step) },
      icon("hand"), this.title, this.about);
    this.approve = this.#button("Approve", true, "primary");
    this.deny = this.#button("Deny", false, "secondary");
    this.expires = h("time", { class: "quiet" });
    this.problem = h("p", { class: "row-error", role: "alert", hidden: true });
    const text = pretty(step.arguments);
    const hasArguments = step.arguments !== null && step.arguments !== undefined && text !== "{}";
    this.question = h("div", { class: "question" },
      h("p", { class: "why", dir: "auto" }, step.message),
      step.name && h("p", { class: "call" }, h("span", { class: "quiet" }, "It wants to call "), h("code", {}, step.name)),
      hasArguments && h("div", { class: "code" },
        h("div", { class: "code-bar" }, h("span", {}, "with these arguments"), copyButton(text)),
        h("pre", { tabindex: "0" }, h("code", {}, text))),
      h("div", { class: "decide" }, this.approve, this.deny, this.expires),
      this.problem);
    this.element = h("li", { class: "step approval" }, this.row, this.question);
  }

  #button(label, approved, kind) {
    const button = h("button", { type: "button", class: kind }, label);
    button.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    button.addEventListener("click", () => {
      if (performance.now() - this.shownAt > ARMING_MS) this.#decide(approved);
    });
    return button;
  }

  async #decide(approved) {
    if (this.deciding) return;
    this.deciding = true;
    this.problem.hidden = true;
    this.update(this.actions.now());
    try {
      await this.actions.respond(this.run, this.step, approved);
    } catch (error) {
      const decision = error.frame?.decision;
      const text = decision ? `Already decided elsewhere: ${decision.approved ? "approved" : "denied"}.` : errorText(error);
      setText(this.problem, text);
      this.problem.hidden = false;
    }
    this.deciding = false;
    this.update(this.actions.now());
  }

  update(now) {
    const { step } = this;
    const waiting = step.status === "waiting";
    setAttribute(this.element, "data-status", step.status);
    setText(this.title, waiting ? "Waiting for your approval" : approvalOutcome(step, step.where ?? null));
    setText(this.about, waiting ? "" : step.message);
    for (const button of [this.approve, this.deny]) button.disabled = Boolean(this.deciding);
    if (!waiting && this.question.contains(document.activeElement)) this.row.focus();
    this.question.hidden = !waiting;
    this.tick(now);
  }

  tick(now) {
    const at = Date.parse(this.step.expiresAt);
    if (Number.isNaN(at)) return;
    setText(this.expires, `Expires ${fromNow(at, now)}`);
    setAttribute(this.expires, "title", absolute(at));
  }
}
