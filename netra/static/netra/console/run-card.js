/** One run: its request, steps and result. */

import { copyButton, h, icon, listing } from "./dom.js";
import { absolute, asked, duration, moment, plural, pretty, tokens } from "./format.js";
import { markdown } from "./markdown.js";
import { steps } from "./steps.js";
import { timeline } from "./timeline.js";
import { RUN_STATUS, failureTitle, stoppedBy } from "./words.js";

// A failure with its cause only in the log ends with its id.
const WITH_INCIDENT = /^(.*?)\s*Incident (\S+?)\.?$/s;

export function runCard(run, ui) {
	const version = `${run.version} ${ui.selected?.run === run && ui.selected.step?.key}`;
	if (run.isOver && run.drawn?.version === version) return run.drawn.card; // it cannot have changed
	const at = run.askedAt;
	const card = h("article.run", {
		key: run.id, "data-run": run.id, "data-status": run.status, tabindex: "-1",
		"aria-label": `${run.agentType}: ${RUN_STATUS[run.status]}`,
	},
	h("header",
		h("span.agent", run.agentType),
		h("time.quiet", { datetime: new Date(at).toISOString(), title: absolute(at) }, moment(at, ui.now)),
		timeline(run, ui)),
	question(run),
	steps(run, ui),
	h("div.outcome", outcome(run, ui)),
	(run.startedAt !== null || run.isOver) && foot(run, ui));
	run.drawn = { version, card };
	return card;
}

function question({ input }) {
	const text = asked(input);
	return text !== "" && h("div.asked", { tabindex: "0" }, text === null ? h("code", pretty(input)) : h("p", { dir: "auto" }, text));
}

function outcome(run, ui) {
	switch (run.status) {
		case "sending":
			return h("p.quiet.pulse", "Sending…");
		case "queued": {
			const before = ui.thread.runsBefore(run);
			return h("div.notice",
				h("p", `Queued, ${before ? `behind ${plural(before, "other run")}` : "it is next"}`),
				h("button.secondary", { disabled: run.stopping, onclick: () => ui.feed.stop(run) }, "Remove from the queue"));
		}
		case "running":
			return !run.steps.length && h("p.quiet.pulse", "Started");
		case "failed":
			return failure(run.terminal.data, ui);
		case "cancelled":
			return h("p.notice",
				run.startedAt === null ? "Removed from the queue before it started" : stoppedBy(run.terminal.data.reason));
		case "completed":
			return result(run);
	}
}

function failure({ code, message, retried_as: retriedAs }, ui) {
	const [, text, incident] = WITH_INCIDENT.exec(message) ?? [null, message];
	return h("div.failure",
		h("strong", icon("warning"), failureTitle(code)),
		h("p", { dir: "auto" }, text),
		incident && h("p.incident", "Incident ", h("code", incident), copyButton(incident),
			h("span.quiet", "With this number, the operator of the server can find the cause in the log.")),
		retriedAs && h("p", "It was started again as ", h("a", { href: ui.linkTo({ id: retriedAs }) }, "a new run"), "."));
}

function result({ terminal: { data: { result: value } }, steps: all }) {
	if (value === null || all.some(({ kind }) => kind === "message")) return null;
	return typeof value === "string" ? markdown(value) : listing("result", pretty(value));
}

function foot(run, ui) {
	const used = tokens(run.terminal?.data.usage);
	const failed = run.steps.filter(({ kind, status }) => kind === "tool" && status === "error").length;
	const parts = [
		run.stopping && !run.isOver ? "Stopping…" : RUN_STATUS[run.status],
		run.startedAt !== null && duration(run.durationMs ?? ui.now - run.startedAt),
		used !== null && plural(used, "token"),
		failed > 0 && `${plural(failed, "tool call")} failed`,
		plural(run.eventCount, "event"),
	];
	return h("footer.foot", h("span.dot"),
		h("button.link", { onclick: () => ui.select(run, null, {}) },
			parts.filter(Boolean).join(" · ")));
}
