/** Draws the current page. `ui` is the console: its state, and the actions of the parts. */

import { h, patch } from "./dom.js";
import { LONG_REPLAY } from "./feed.js";
import { absolute, duration, moment, number } from "./format.js";
import { undeceive } from "./honest.js";
import { address } from "./router.js";
import { RUN_STATUS, connectionText } from "./words.js";

const $ = (selector) => document.querySelector(selector);

const ARMING_MS = 1_000;

let shown = null; // the thread of the cards
let listed = ""; // what the list of threads was drawn from

export function draw(ui) {
	const { thread, selected, scroll, feed: { summaries } } = ui;
	const focus = document.activeElement;
	const [step, card] = [focus.closest(".step"), focus.closest(".run")];
	const active = thread && !thread.loading ? thread.active : null;
	ui.now = ui.feed.now;

	const words = ui.search.value;
	drawList(ui, words);

	patch($("#thread-title"), thread ? undeceive(summaries.title(thread.id)) : "New thread");
	$("#welcome").hidden = Boolean(thread);
	$("#nothing").hidden = !thread || Boolean(thread.loading || thread.missing) || thread.runs.length > 0;
	patch($("#missing"), thread?.missing && `Events ${thread.missing.join(" to ")} are no longer stored on this server.`);
	patch($(".replay"), thread?.loading && progress(thread));
	// While a replay loads, the old content stays.
	if (!thread?.loading || shown !== thread) patch($(".cards"), thread && !thread.loading && ui.view && cards(thread, ui));
	shown = thread;

	drawStop(ui, active);
	if (ui.stopBar.open && ui.asked !== active) ui.stopBar.close();

	const isOpen = Boolean(selected && (ui.wide.matches || ui.route.runId));
	$("#detail").toggleAttribute("data-open", isOpen);
	patch($("#detail"), isOpen && ui.view ? ui.view.detail(selected, ui) : h("p.placeholder", "Select a step to see it in full."));

	drawConnection(ui);
	drawTitle(ui);
	scroll.settle();
	// The focused element may be gone (a decided approval): stay near it.
	if (!focus.isConnected) (step?.isConnected ? step : card)?.querySelector(".row")?.focus();
}

/** Armed after a moment: the run under the button may change just before a press. */
function drawStop(ui, active) {
	const button = $("#stop");
	if (ui.stoppable !== active) [ui.stoppable, ui.stoppableSince] = [active, performance.now()];
	ui.stopArmed = Boolean(active) && !active.stopping && performance.now() - ui.stoppableSince >= ARMING_MS;
	button.hidden = !active;
	button.setAttribute("aria-disabled", String(!ui.stopArmed)); // `disabled` would take the focus away
}

export function drawTitle({ isOver, thread, feed: { summaries } }) {
	if (isOver) return;
	const { waiting } = summaries;
	const mark = waiting ? `(${waiting}) Waiting for you – ` : "";
	const title = `${mark}${thread ? `${undeceive(summaries.title(thread.id))} – ` : ""}Netra`;
	if (document.title !== title) document.title = title;
}

function drawConnection({ boot, status, wasOpen, expiresAt, now }) {
	const left = expiresAt - now;
	const text = (!wasOpen && status.state === "waiting" && boot.no_socket)
		|| connectionText(status, Date.now(), wasOpen)
		|| (left > 0 && `Your session ends in ${duration(left)}. Your draft is kept; log in again afterwards.`);
	// The empty line keeps its space: nothing jumps when the connection changes.
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
		runs.slice(extent.from, extent.to).map((run) => ui.view.runCard(run, ui)),
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

/** A list of thousands of threads is redrawn only when one of them changes. */
function drawList(ui, words) {
	const { summaries } = ui.feed;
	const today = new Date(ui.now).toDateString();
	const drawnFrom = [summaries.version, words, ui.thread?.id, today].join("\n");
	if (drawnFrom === listed) return;
	listed = drawnFrom;
	const found = summaries.find(words);
	const none = words ? "No thread title contains these words." : "No threads yet.";
	patch($("#threads ol"), found.map((item) => listItem(item, item.id === ui.thread?.id, today, ui.now)));
	patch($(".no-threads"), summaries.complete && !found.length && none);
	$("#more-threads").hidden = summaries.complete;
}

function listItem(item, isCurrent, today, now) {
	const { id, title, status, updatedAt } = item;
	const drawnFrom = [title, status, updatedAt, isCurrent, today].join("\n");
	if (item.drawn?.from !== drawnFrom) {
		const at = Date.parse(updatedAt);
		const shown = undeceive(title) || "Untitled";
		const wish = h("li", { key: id, "data-status": status ?? "completed" },
			h("a", { href: address({ threadId: id }), title: shown, "aria-current": isCurrent && "page" },
				h("span.dot"),
				h("span.title", { dir: "auto" }, shown),
				updatedAt && h("time.quiet", { title: absolute(at) }, moment(at, now)),
				["queued", "running", "waiting", "failed"].includes(status) && h("span.state-words", RUN_STATUS[status].toLowerCase())));
		item.drawn = { from: drawnFrom, wish };
	}
	return item.drawn.wish;
}
