/** The user's threads as a list: title, last activity, what goes on in each. */

import { asked } from "./format.js";
import { TERMINAL_STATUS } from "./run.js";

export class Summaries {
	items = new Map();
	complete = false; // all there are

	get oldest() {
		return [...this.items.values()].flatMap(({ synced, updatedAt }) => (synced ? updatedAt : [])).sort()[0];
	}

	/** Returns the cursors of threads whose state is not known yet. */
	addPage(threads, limit, isFirst) {
		if (!isFirst || threads.length < limit) this.complete = threads.length < limit;
		const unknown = new Map();
		for (const { thread_id: id, title, updated_at: updatedAt, last_seq: head } of threads) {
			const item = this.#item(id);
			item.synced = true;
			item.title = title || item.title;
			if (updatedAt > item.updatedAt) item.updatedAt = updatedAt;
			if (!item.status) unknown.set(id, head);
		}
		return Object.fromEntries(unknown);
	}

	setStatus(threadId, runId, status) {
		const item = this.items.get(threadId);
		if (item) Object.assign(item, { status: status ?? "completed", runId });
	}

	apply({ event_type: type, thread_id: threadId, run_id: runId, timestamp, data }) {
		const item = this.#item(threadId);
		const ended = TERMINAL_STATUS[type];
		// Not for every event: a list that never rests cannot be read.
		const begun = type === "agent_started";
		if (timestamp > item.updatedAt && (begun || type === "run_queued" || ended)) item.updatedAt = timestamp;
		if (!item.status || begun) Object.assign(item, { runId, status: "running" }); // or joined in the middle
		if (begun) item.title ||= titleFrom(data.input);
		if (type === "run_queued" && (item.runId === runId || !["running", "waiting"].includes(item.status))) {
			Object.assign(item, { runId, status: "queued" });
		}
		if (item.runId !== runId) return;
		if (type === "approval_requested") item.status = "waiting";
		if (type === "approval_resolved") item.status = "running";
		if (ended) item.status = ended;
	}

	addSent(threadId, input, now) {
		const item = this.#item(threadId);
		item.title ||= titleFrom(input);
		item.updatedAt = new Date(now).toISOString();
	}

	title(threadId) {
		return this.items.get(threadId)?.title || "Untitled";
	}

	get waiting() {
		return [...this.items.values()].filter(({ status }) => status === "waiting").length;
	}

	find(words) {
		const wanted = words.trim().toLowerCase();
		return [...this.items.values()]
			.filter(({ title }) => title.toLowerCase().includes(wanted))
			.sort((one, other) => (one.updatedAt < other.updatedAt ? 1 : -1));
	}

	#item(id) {
		if (!this.items.has(id)) this.items.set(id, { id, title: "", updatedAt: "" });
		return this.items.get(id);
	}
}

function titleFrom(input) {
	return (asked(input) ?? JSON.stringify(input)).trim().split("\n")[0].slice(0, 80);
}
