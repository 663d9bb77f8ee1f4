/** An approval: what the agent wants to do, why, and with which arguments. */

import { h, icon, listing } from "./dom.js";
import { absolute, duration, number, pretty } from "./format.js";
import { revealed, undeceive } from "./honest.js";
import { approvalOutcome } from "./words.js";

// A press that began before the buttons appeared must not count as a decision.
const ARMING_MS = 700;
const [LONG_LINES, LONG_CHARS] = [20, 1_000]; // beyond these, a note says that there is more

export function approval(step, { row, run, ui }) {
	const waiting = step.status === "waiting";
	return h("li.step.approval", { key: step.key, "data-status": step.status },
		row(step, {}, icon("hand"),
			h("span.name", waiting ? "Waiting for your approval" : approvalOutcome(step.data, step.where)),
			h("span.args", !waiting && undeceive(step.data.message))),
		waiting && question(step, run, ui),
		step.problem && h("p.row-error", { role: "alert" }, step.problem));
}

function question(step, run, ui) {
	step.shownAt ??= performance.now();
	const { tool_name: name, message, kind } = step.data;
	const values = revealed(pretty(step.data.arguments));
	const lines = values.split("\n").length;
	const expires = Date.parse(step.data.expires_at);
	const button = (label, approved, look, value) => h("button", {
		class: look,
		disabled: Boolean(step.deciding),
		onkeydown: ({ repeat }) => !repeat,
		onclick: () => performance.now() - step.shownAt > ARMING_MS && ui.feed.respond(run, step, approved, value?.()),
	}, label);
	return h("div.question",
		// The agent's words are set apart from those of this page.
		message && h("figure.claim", h("figcaption", "The agent says"), h("p.why", { dir: "auto" }, revealed(message))),
		name && h("p.call", "It wants to call ", h("code", revealed(name))),
		!["", "{}", "null"].includes(values) && [
			(lines > LONG_LINES || values.length > LONG_CHARS)
				&& h("p.long", `This is long: ${number(lines)} lines, ${number(values.length)} characters. All of it will run, so read to the end.`),
			listing("with these arguments", values, pretty(step.data.arguments)),
		],
		kind === "input" && h("textarea", { "aria-label": "Your answer", oninput: ({ target }) => (step.answer = target.value) }),
		kind === "tool" && h("p.quiet", "Only a page that has this tool can run it."),
		h("div.decide",
			kind === "input" ? button("Send", true, "primary", () => step.answer ?? "") : kind !== "tool" && button("Approve", true, "primary"),
			button("Deny", false, "secondary"),
			expires && h("time.quiet", { title: absolute(expires) }, `Expires in ${duration(expires - ui.now)}`)));
}
