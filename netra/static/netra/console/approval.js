/** A question the agent has stopped for: what it wants to do, why, with which arguments. */

import { h, icon, listing } from "./dom.js";
import { absolute, duration, pretty } from "./format.js";
import { approvalOutcome } from "./words.js";

// Buttons that appear under a finger or a pressed key must not take that press for a decision.
const ARMING_MS = 700;

export function approval(step, { row, run, ui }) {
	const waiting = step.status === "waiting";
	return h("li.step.approval", { key: step.key, "data-status": step.status },
		row(step, {}, icon("hand"),
			h("span.name", waiting ? "Waiting for your approval" : approvalOutcome(step.data, step.where)),
			h("span.args", !waiting && step.data.message)),
		waiting && question(step, run, ui),
		step.problem && h("p.row-error", { role: "alert" }, step.problem));
}

function question(step, run, ui) {
	step.shownAt ??= performance.now();
	const { tool_name: name, message } = step.data;
	const values = pretty(step.data.arguments);
	const expires = Date.parse(step.data.expires_at);
	const button = (label, approved, kind) => h("button", {
		class: kind,
		disabled: Boolean(step.deciding),
		onkeydown: ({ repeat }) => !repeat,
		onclick: () => performance.now() - step.shownAt > ARMING_MS && ui.feed.respond(run, step, approved),
	}, label);
	return h("div.question",
		h("p.why", { dir: "auto" }, message),
		name && h("p.call.quiet", "It wants to call ", h("code", name)),
		!["", "{}", "null"].includes(values) && listing("with these arguments", values),
		h("div.decide", button("Approve", true, "primary"), button("Deny", false, "secondary"),
			expires && h("time.quiet", { title: absolute(expires) }, `Expires in ${duration(expires - ui.now)}`)));
}
