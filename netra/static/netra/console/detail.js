/** The selected step in full, or the selected run. */

import { copyButton, h, icon, listing } from "./dom.js";
import { absolute, duration, number, pretty } from "./format.js";
import { undeceive } from "./honest.js";
import { RUN_STATUS, TOOL_STATUS, approvalOutcome } from "./words.js";

const KINDS = { tool: "Tool call", thought: "Thought", message: "Answer", state: "State", data: "Data", approval: "Approval" };

let drawn = { version: null, content: null };

export function detail({ run, step }, ui) {
	const version = `${run.id} ${step?.key} ${step ? step.count + step.status + step.endAt : run.version}`;
	if (version === drawn.version) return drawn.content;
	const close = (label, name) => h(`button.icon-button.${name}`, { "aria-label": label, onclick: () => ui.closeDetail() }, icon(name));
	const link = () => new URL(ui.linkTo(run, step?.seq), location.href).href;
	const content = h("div", { key: step ? run.id + step.key : run.id },
		h("header",
			close("Back to the run", "back"),
			h("h2", step ? (step.kind === "tool" ? undeceive(step.data.tool_name) : KINDS[step.kind]) : "Run"),
			copyButton(link, "Copy link"),
			close("Close the details", "close")),
		step ? stepInFull(run, step) : runInFull(run));
	drawn = { version, content };
	return content;
}

function stepInFull(run, step) {
	const { kind, status, at, endAt, data } = step;
	return [
		facts(
			kind === "tool" && ["Outcome", TOOL_STATUS[status] ?? status],
			kind === "approval" && ["Decision", status === "waiting" ? "Not yet" : approvalOutcome(data, step.where)],
			kind === "approval" && data.tool_name && ["Tool", undeceive(data.tool_name)],
			["Began", time(at)],
			endAt !== null && ["Ended", time(endAt)],
			endAt !== null && ["Took", duration(data.duration_ms ?? endAt - at)],
			run.startedAt !== null && ["Into the run", duration(at - run.startedAt)],
			data.expires_at && ["Expires", time(Date.parse(data.expires_at), at)],
		),
		data.message && listing("Why", undeceive(data.message), data.message),
		data.arguments && listing("Arguments", pretty(data.arguments)),
		data.error && listing("Error", data.error),
		kind === "tool" && status === "ok" && listing("Result", pretty(data.result)),
		step.text && listing("Text", step.text),
		frames(new Set([step.first, step.last]), step.count),
	];
}

function runInFull(run) {
	const { startedAt, endedAt, terminal } = run;
	const { result, usage } = terminal?.data ?? {};
	return [
		facts(
			["State", RUN_STATUS[run.status]],
			["Agent", run.agentType],
			["Asked", time(run.askedAt)],
			startedAt !== null && ["Began", time(startedAt)],
			endedAt !== null && ["Ended", time(endedAt)],
			endedAt !== null && ["Took", duration(run.durationMs)],
			["Events", number(run.eventCount)],
			["Run", [h("code", run.id), copyButton(run.id)]],
		),
		listing("Input", pretty(run.input)),
		result !== undefined && listing("Result", pretty(result)),
		usage && listing("Usage", pretty(usage)),
		frames(new Set([run.started, terminal]), run.eventCount),
	];
}

const facts = (...known) => h("dl", known.filter(Boolean).map(([name, value]) => [h("dt", name), h("dd", value)]));

/** With the date, unless it is that of `since`. */
function time(at, since = at) {
	const then = new Date(at);
	const sameDay = then.toDateString() === new Date(since).toDateString();
	return h("time", { datetime: then.toISOString(), title: absolute(at) }, sameDay ? then.toLocaleTimeString() : then.toLocaleString());
}

function frames(events, count) {
	const known = [...events].filter(Boolean);
	if (!known.length) return null;
	const title = count > known.length ? `Raw frames (first and last of ${number(count)})` : known.length > 1 ? "Raw frames" : "Raw frame";
	return h("details", h("summary", title), listing("JSON", known.map(pretty).join("\n\n")));
}
