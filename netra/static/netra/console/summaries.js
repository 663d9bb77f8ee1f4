/** The user's threads as a list: title, last activity, and state. */

import { asked } from "./format.js";
import { TERMINAL_STATUS } from "./run.js";

export class Summaries {
	items = new Map();
	version = 0; // of `items`
	waiting = 0; // threads with approvals
	#complete = false;

	/** Whether the list is complete. */
	get complete() {
		return this.#complete;
	}

	set complete(value) {
		this.#complete = value;
		this.version += 1;
	}

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
			this.#change(item, { title: title || item.title, updatedAt: updatedAt > item.updatedAt ? updatedAt : item.updatedAt });
			if (!item.status) unknown.set(id, head);
		}
		return Object.fromEntries(unknown);
	}

	setStatus(threadId, runId, status) {
		const item = this.items.get(threadId);
		if (item) this.#change(item, { status: status ?? "completed", runId });
	}

	apply({ event_type: type, thread_id: threadId, run_id: runId, timestamp, data }) {
		const item = this.#item(threadId);
		const ended = TERMINAL_STATUS[type];
		// Not at every event: a list in motion is hard to read.
		const begun = type === "agent_started";
		if (timestamp > item.updatedAt && (begun || type === "run_queued" || ended)) this.#change(item, { updatedAt: timestamp });
		if (!item.status || begun) this.#change(item, { runId, status: "running" }); // or joined in the middle
		if (begun && !item.title) this.#change(item, { title: titleFrom(data.input) });
		if (type === "run_queued" && (item.runId === runId || !["running", "waiting"].includes(item.status))) {
			this.#change(item, { runId, status: "queued" });
		}
		if (item.runId !== runId) return;
		if (type === "approval_requested") this.#change(item, { status: "waiting" });
		if (type === "approval_resolved") this.#change(item, { status: "running" });
		if (ended) this.#change(item, { status: ended });
	}

	addSent(threadId, input, now) {
		const item = this.#item(threadId);
		this.#change(item, { title: item.title || titleFrom(input), updatedAt: new Date(now).toISOString() });
	}

	remove(threadId) {
		const item = this.items.get(threadId);
		if (!item) return;
		this.#change(item, { status: null });
		this.items.delete(threadId);
		this.version += 1;
	}

	title(threadId) {
		return this.items.get(threadId)?.title || "Untitled";
	}

	find(words) {
		const wanted = words.trim().toLowerCase();
		return [...this.items.values()]
			.filter(({ title }) => title.toLowerCase().includes(wanted))
			.sort((one, other) => (one.updatedAt < other.updatedAt ? 1 : -1));
	}

	#item(id) {
		if (!this.items.has(id)) {
			this.items.set(id, { id, title: "", updatedAt: "" });
			this.version += 1;
		}
		return this.items.get(id);
	}

	#change(item, changes) {
		const waited = item.status === "waiting";
		for (const [name, value] of Object.entries(changes)) {
			if (item[name] === value) continue;
			item[name] = value;
			this.version += 1;
		}
		this.waiting += (item.status === "waiting") - waited;
	}
}

function titleFrom(input) {
	return (asked(input) ?? JSON.stringify(input)).trim().split("\n")[0].slice(0, 80);
}
