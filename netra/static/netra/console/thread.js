/** A thread: its runs in order, and its last event. */

import { Extent } from "./extent.js";
import { Run } from "./run.js";

export class Thread {
	head = 0; // last seq applied
	runs = []; // by start; those only sent come last
	byId = new Map();
	missing = null; // [from, to] of events that the server no longer has
	loading = null; // { from, to } while a replay is shown as progress instead of as it comes
	extent = new Extent(60, 20, 20); // the runs that are shown

	constructor(id) {
		this.id = id;
	}

	/** The active run, else the first in the queue. */
	get active() {
		const live = this.runs.filter((run) => !run.isOver && run.status !== "sending");
		return live.find((run) => run.status !== "queued") ?? live[0] ?? null;
	}

	runsBefore(run) {
		return this.runs.slice(0, this.runs.indexOf(run)).filter((other) => !other.isOver).length;
	}

	/** Returns the changed run; null if the event was known. */
	apply(event) {
		if (event.seq <= this.head) return null;
		this.head = event.seq;
		const run = this.byId.get(event.run_id) ?? this.#add(new Run(event.run_id));
		const isNew = run.firstSeq === null;
		run.apply(event);
		if (isNew) this.runs.sort((one, other) => (one.firstSeq ?? Infinity) - (other.firstSeq ?? Infinity));
		return run;
	}

	send(runId, agentType, input, now) {
		return this.#add(Object.assign(new Run(runId), { agentType, input, askedAt: now }));
	}

	unsend(runId) {
		const run = this.byId.get(runId);
		if (!run || run.firstSeq !== null) return;
		this.byId.delete(runId);
		this.runs.splice(this.runs.indexOf(run), 1);
	}

	#add(run) {
		this.byId.set(run.id, run);
		this.runs.push(run);
		return run;
	}
}
