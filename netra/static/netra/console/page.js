/** The page as it should look now. `ui` is the console: what is shown, and what the parts may ask for. */

import { detail } from "./detail.js";
import { h, patch } from "./dom.js";
import { LONG_REPLAY } from "./feed.js";
import { absolute, duration, moment, number } from "./format.js";
import { address } from "./router.js";
import { runCard } from "./run-card.js";
import { RUN_STATUS, connectionText } from "./words.js";

const $ = (selector) => document.querySelector(selector);

let shown = null; // the thread of the cards

export function draw(ui) {
	const { thread, selected, scroll, feed: { summaries } } = ui;
	const focus = document.activeElement;
	const [step, card] = [focus.closest(".step"), focus.closest(".run")];
	const active = thread && !thread.loading ? thread.active : null;
	ui.now = ui.feed.now;

	const words = ui.search.value;
	const found = summaries.find(words);
	const none = words ? "No thread with these words in its title." : "No threads yet.";
	patch($("#threads ol"), threadList(found, thread?.id));
	patch($(".no-threads"), summaries.complete && !found.length && none);
	$("#more-threads").hidden = summaries.complete;

	patch($("#thread-title"), thread ? summaries.title(thread.id) : "New thread");
	$("#welcome").hidden = Boolean(thread);
	$("#nothing").hidden = !thread || Boolean(thread.loading) || thread.runs.length > 0;
	patch($("#missing"), thread?.missing && `Events ${thread.missing.join(" to ")} are older than this server keeps them.`);
	patch($(".replay"), thread?.loading && progress(thread));
	// While a replay is loaded, what was there before stays.
	if (!thread?.loading || shown !== thread) patch($(".cards"), thread && !thread.loading && cards(thread, ui));
	shown = thread;

	$("#stop").hidden = !active;
	$("#stop").disabled = Boolean(active?.stopping);
	if (ui.stopBar.open && ui.asked !== active) ui.stopBar.close();

	const isOpen = Boolean(selected && (ui.wide.matches || ui.route.runId));
	$("#detail").toggleAttribute("data-open", isOpen);
	patch($("#detail"), isOpen ? detail(selected, ui) : h("p.placeholder", "Select a step to see it in full."));

	drawConnection(ui);
	drawTitle(ui);
	scroll.settle();
	// What had the focus may be gone (a question that was decided): stay near it.
	if (!focus.isConnected) (step?.isConnected ? step : card)?.querySelector(".row")?.focus();
}

export function drawTitle({ isOver, thread, feed: { summaries } }) {
	if (isOver) return;
	const { waiting } = summaries;
	const mark = waiting ? `(${waiting}) Waiting for you – ` : "";
	const title = `${mark}${thread ? `${summaries.title(thread.id)} – ` : ""}Netra`;
	if (document.title !== title) document.title = title;
}

function drawConnection({ status, wasOpen, expiresAt }) {
	const left = expiresAt - Date.now();
	const text = connectionText(status, Date.now(), wasOpen)
		|| (left > 0 && `Your session ends in ${duration(left)}. What you typed is kept; log in again then.`);
	// The line keeps its place when it is empty: nothing jumps when the connection goes or comes.
	$("#connection").classList.toggle("idle", !text);
	patch($("#connection span + span"), text);
	$("#try-now").hidden = !text || !/waiting|connecting/.test(status.state) || (!wasOpen && !status.attempt);
}

function cards(thread, ui) {
	const { runs, extent } = thread;
	extent.update(runs.length, ui.scroll.following);
	const more = (where, show) => extent[where] > 0
		&& h("button.secondary.more", { key: where, onclick: show }, `Show ${number(extent[where])} ${where} runs`);
	return [
		more("earlier", () => ui.scroll.hold(() => ui.draw(extent.showEarlier()))),
		runs.slice(extent.from, extent.to).map((run) => runCard(run, ui)),
		more("later", () => ui.draw(extent.showLater())),
	];
}

function progress({ loading: { from, to }, head }) {
	if (to - from <= LONG_REPLAY) return null;
	const total = to - from + 1;
	const seen = Math.max(0, head - from + 1);
	return [
		h("progress", { value: String(seen / total), "aria-label": "Loading the thread" }),
		h("span", `Loading ${number(seen)} of ${number(total)} events`),
	];
}

function threadList(items, current) {
	const now = Date.now();
	return items.map(({ id, title, status, updatedAt }) => {
		const at = Date.parse(updatedAt);
		const shown = title || "Untitled";
		return h("li", { key: id, "data-status": status ?? "completed" },
			h("a", { href: address({ threadId: id }), title: shown, "aria-current": id === current && "page" },
				h("span.dot"),
				h("span.title", { dir: "auto" }, shown),
				updatedAt && h("time.quiet", { title: absolute(at) }, moment(at, now)),
				["queued", "running", "waiting", "failed"].includes(status) && h("span.state-words", RUN_STATUS[status].toLowerCase())));
	});
}
