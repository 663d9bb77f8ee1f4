/** The strip above a run: thoughts, tool calls and waits as spans to scale. */

import { h } from "./dom.js";
import { duration, plural } from "./format.js";

const LANES = 4; // for parallel tools; more share the last one
const MOST_SPANS = 300; // a strip has no room for more: neighbours are merged

export function timeline(run, ui) {
	const spans = run.startedAt === null ? [] : layOut(run, ui.now);
	if (!spans.length) return null;
	const elapsed = Math.max(1, (run.endedAt ?? ui.now) - run.startedAt);
	// During a run the axis grows by doubling, so that the spans rarely move.
	const axis = run.isOver ? elapsed : 1_000 * 2 ** Math.max(0, Math.ceil(Math.log2(elapsed / 1_000)));
	const lanes = Math.max(...spans.map(({ lane }) => lane)) + 1;
	const marked = spans.find((span) => isMarked(span, run, ui.selected));
	const percent = (ms) => `${(100 * Math.max(0, ms)) / axis}%`;
	return h("div.timeline",
		h("div.spans", { role: "group", "aria-label": "Timeline of the run", style: { "--lanes": lanes } },
			spans.map((span) => {
				const { kind, status, lane, first, from, to } = span;
				const choose = (how) => ui.select(run, first, how);
				return h("button.span", {
					key: first.key, "data-kind": kind, "data-status": status,
					title: label(span), "aria-current": span === marked && "true",
					tabindex: span === (marked ?? spans[0]) ? "0" : "-1",
					style: { "--lane": lane, left: percent(from - run.startedAt), width: percent((to ?? ui.now) - from) },
					onclick: () => choose({}),
					onfocus: () => choose({ peek: true }),
					onmouseenter: () => choose({ peek: true, hover: true }),
				});
			})),
		h("span.axis", duration(axis)));
}

function layOut(run, now) {
	const ends = []; // when each lane is free again
	const spans = [];
	const lastOf = new Map(); // by kind and lane
	const least = run.steps.length > MOST_SPANS ? ((run.endedAt ?? now) - run.startedAt) / MOST_SPANS : 0;
	for (const step of run.steps) {
		const { kind, at: from, endAt: to, status } = step;
		if (kind === "message" || kind === "state") continue;
		const lane = kind === "tool" ? freeLane(ends, step) : 0;
		const previous = least && lastOf.get(kind + lane);
		if (previous && previous.to !== null && from - previous.from < 2 * least) {
			Object.assign(previous, { to, last: step, count: previous.count + 1 });
			if (status === "error") previous.status = status;
			continue;
		}
		const span = { kind, lane, from, to, status, first: step, last: step, count: 1 };
		lastOf.set(kind + lane, span);
		spans.push(span);
	}
	return spans;
}

function freeLane(ends, { at, endAt }) {
	let lane = ends.findIndex((end) => end <= at);
	if (lane === -1) lane = Math.min(ends.length, LANES - 1);
	ends[lane] = Math.max(ends[lane] ?? 0, endAt ?? Infinity);
	return lane;
}

function isMarked({ kind, first, last }, run, selected) {
	const step = selected?.run === run && selected.step;
	return step && step.kind === kind && first.index <= step.index && step.index <= last.index;
}

function label({ kind, first, from, to, count }) {
	const what = { tool: first.data.tool_name, thought: "Thought", approval: "Waiting for approval" }[kind];
	return `${count > 1 ? plural(count, kind) : what}, ${to === null ? "going on" : duration(to - from)}`;
}
