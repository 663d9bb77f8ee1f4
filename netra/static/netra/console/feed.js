/** Builds threads from the server's events, and sends the reader's actions. */

import { newId } from "../netra-client.js";
import { Summaries } from "./summaries.js";
import { Thread } from "./thread.js";
import { errorText } from "./words.js";

const PAGE = 50;
export const LONG_REPLAY = 300; // a replay of this many events is shown as progress

export class Feed {
	summaries = new Summaries();
	threads = new Map(); // those that were opened
	#begin = -Infinity; // the server's time when this page's clock was 0, at least
	#client;
	#ui;
	#decided = new Map(); // approvals decided on this page

	/** `ui` is told of changes, events and replaced threads. */
	constructor(client, ui) {
		this.#client = client;
		this.#ui = ui;
		client.on("event", (event, { replayed }) => this.#event(event, replayed));
		client.on("replaying", (replay) => this.#replaying(replay));
		client.on("resumed", (frame) => this.#resumed(frame));
		client.on("reset", ({ threadId }) => this.threads.has(threadId) && ui.replaced(this.#add(threadId)));
		client.on("gap", ({ threadId, from, to }) => {
			const thread = this.threads.get(threadId);
			if (thread) thread.missing = [from, to];
			ui.changed();
		});
	}

	/** The server's time. Not from the machine's clock, which may be wrong or jump during a run. */
	get now() {
		return performance.now() + (this.#begin === -Infinity ? performance.timeOrigin : this.#begin);
	}

	open(threadId) {
		const known = this.threads.get(threadId);
		const thread = this.#add(threadId, known);
		if (!known) this.#client.resume(threadId, 0).catch((error) => {
			if (error.code === "invalid_action") thread.loading = null;
			this.#ui.changed();
		});
		return thread;
	}

	async sync(before) {
		const { threads } = await this.#client.sync({ limit: PAGE, before });
		const unknown = Object.entries(this.summaries.addPage(threads, PAGE, !before));
		const { cursors } = this.#client;
		// A resume at the head sends no event, and its answer gives the thread's state.
		this.#client.resumeAll(Object.fromEntries(unknown.filter(([threadId]) => !Object.hasOwn(cursors, threadId))));
		this.#ui.changed();
	}

	/** Shows a run before the server has heard of it. Returns its thread and the promise of its start. */
	send(threadId, agent, input) {
		const thread = threadId ? this.threads.get(threadId) : this.#add(newId());
		if (!threadId) thread.loading = null;
		const runId = newId();
		thread.send(runId, agent, input, this.now);
		this.summaries.addSent(thread.id, input, this.now);
		const started = this.#client.start(agent, input, { threadId: thread.id, runId }).catch((error) => {
			thread.unsend(runId);
			if (!thread.runs.length) {
				this.threads.delete(thread.id);
				this.summaries.remove(thread.id);
			}
			throw error;
		});
		return [thread, started];
	}

	async stop(run) {
		if (run.isOver || run.stopping) return;
		this.#change(run, { stopping: true });
		try {
			await this.#client.stop(run.id);
		} catch (error) {
			if (error.code !== "run_finished") this.#ui.composer.tell(errorText(error));
		}
		this.#change(run, { stopping: false });
	}

	async respond(run, step, approved, value) {
		const { approval_id: id } = step.data;
		this.#decided.set(id, approved);
		this.#change(run, { deciding: true, problem: null }, step);
		let problem = null;
		try {
			await this.#client.respond(run.id, id, approved, value);
		} catch (error) {
			const decision = error.frame?.decision;
			problem = decision ? `Already decided elsewhere: ${decision.approved ? "approved" : "denied"}.` : errorText(error);
		}
		this.#change(run, { deciding: false, problem }, step);
	}

	#change(run, change, step = run) {
		Object.assign(step, change);
		run.version += 1;
		this.#ui.changed();
	}

	#event(event, replayed) {
		const run = this.threads.get(event.thread_id)?.apply(event);
		if (!replayed) {
			// The fastest event is the most exact; after a sleep, which may stop this clock, the next one.
			this.#begin = Math.max(this.#begin, Date.parse(event.timestamp) - performance.now());
			this.summaries.apply(event);
			if (run && event.event_type === "approval_resolved" && event.data.by === "user") {
				const mine = this.#decided.get(event.data.approval_id) === event.data.approved;
				run.stepAt(event.seq).where = mine ? "here" : "elsewhere";
			}
			this.#ui.happened(event);
		}
		this.#ui.changed();
	}

	#replaying({ threadId, from, to }) {
		const thread = this.threads.get(threadId);
		if (!thread) return;
		const begin = Math.max(from, thread.head + 1);
		if (thread.loading || to - begin > LONG_REPLAY) thread.loading = { from: begin, to };
		this.#ui.changed();
	}

	#resumed({ thread_id: threadId, run_id: runId, run_status: status }) {
		this.summaries.setStatus(threadId, runId, status);
		const thread = this.threads.get(threadId);
		if (thread?.loading) {
			thread.loading = null;
			this.#ui.arrived(thread);
		}
		this.#ui.changed();
	}

	#add(threadId, thread = Object.assign(new Thread(threadId), { loading: { from: 1, to: 0 } })) {
		this.threads.delete(threadId);
		this.threads.set(threadId, thread);
		if (this.threads.size > 8) this.threads.delete(this.threads.keys().next().value);
		return thread;
	}
}
