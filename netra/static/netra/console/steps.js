/** The steps of a run as a list: thoughts, tool calls, answers, states. Approvals are in `approval.js`. */

import { approval } from "./approval.js";
import { h, icon } from "./dom.js";
import { duration, oneLine, plural } from "./format.js";
import { undeceive } from "./honest.js";
import { markdown } from "./markdown.js";
import { TOOL_STATUS } from "./words.js";

// Bars share one scale for comparison: the full width is this, or the longest visible call.
const BAR_FULL_MS = 2_000;

export function steps(run, ui) {
	const { extent } = run;
	extent.update(run.steps.length, ui.scroll.following);
	const shown = run.steps.slice(extent.from, extent.to);
	const longest = Math.max(BAR_FULL_MS, ...shown.map(({ data }) => data.duration_ms ?? 0));
	// Tab moves to the next run; arrows to other steps.
	const stop = shown.includes(run.lastFocused) ? run.lastFocused : shown.find(({ kind }) => kind !== "message");
	const row = (step, properties, ...content) => h("button.row", {
		tabindex: step === stop ? "0" : "-1",
		"aria-current": ui.selected?.step === step && "true",
		onclick: () => ui.select(run, step, {}),
		onfocus: () => ui.change(run, () => (run.lastFocused = step)),
		...properties,
	}, ...content);
	return h("ol.steps",
		fold(run.steps.slice(0, extent.from), "earlier", extent.earlier, () => ui.unfold(run, () => extent.showEarlier())),
		shown.map((step) => VIEWS[step.kind](step, { row, run, ui, longest })),
		fold(run.steps.slice(extent.to), "later", extent.later, () => ui.change(run, () => extent.showLater())));
}

function fold(folded, where, more, show) {
	if (!folded.length) return null;
	const failed = folded.filter(({ status }) => status === "error").length;
	const text = `${plural(folded.length, `${where} step`)} folded${failed ? `, ${failed} of them failed` : ""} · Show ${more} more`;
	return h("li.step.fold", { key: where }, h("button.row", { onclick: show }, text));
}

function tool(step, { row, ui, longest }) {
	const { tool_name: name, arguments: values, error, duration_ms: ms = Math.max(0, ui.now - step.at) } = step.data;
	const width = `${Math.max(1, Math.min(100, (100 * ms) / longest))}%`;
	step.line ??= oneLine(values);
	return h("li.step.tool", { key: step.key, "data-status": step.status },
		row(step, {}, icon("tool"), h("span.name", undeceive(name)), h("span.args", step.line),
			h("span.bar", { "aria-hidden": "true" }, h("span.fill", { style: { width } })),
			h("span.took", duration(ms)), h("span.verdict", TOOL_STATUS[step.status] ?? step.status)),
		step.status === "error" && error && h("p.row-error", error));
}

function thought(step, { row, run, ui }) {
	// Open while it grows, then folded, unless the reader toggled it.
	const open = step.open ?? (!run.isOver && run.steps.at(-1) === step);
	const ms = Math.max(0, (step.endAt ?? ui.now) - step.at);
	const title = step.endAt === null ? "Thinking" : ms < 100 ? "Thought" : `Thought for ${duration(ms)}`;
	const toggle = () => {
		ui.change(run, () => (step.open = !open));
		ui.select(run, step, { toggled: true });
	};
	return h("li.step.thought", { key: step.key },
		row(step, { onclick: toggle, "aria-expanded": String(open) }, icon("chevron"), h("span.name", title),
			h("span.args", step.text.slice(0, 200).replace(/\s+/g, " "))),
		open && h("div.thought-text", { dir: "auto" }, h("p", step.text)));
}

function message(step) {
	step.memo ??= { at: 0, blocks: [] };
	return h("li.step.message", { key: step.key }, markdown(step.text, step.memo));
}

function state(step, { row }) {
	return h("li.step.state", { key: step.key },
		row(step, {}, icon("state"), h("span.name", step.count > 1 ? `State, changed ${step.count} times` : "State"),
			h("span.args", oneLine(step.data.state))));
}

function data(step, { row }) {
	const { name, data: value } = step.data;
	return h("li.step.state", { key: step.key },
		row(step, {}, icon("state"), h("span.name", undeceive(name)), h("span.args", oneLine(value))));
}

const VIEWS = { tool, thought, message, state, data, approval };
