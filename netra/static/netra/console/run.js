/** A run, built only from its events: equal events look the same, live or after a reload. */

import { Extent } from "./extent.js";

export const TERMINAL_STATUS = { __proto__: null, agent_completed: "completed", agent_failed: "failed", agent_cancelled: "cancelled" };

// Events that become a step: its kind, its key, its state after the event, and whether it ends there.
const STEPS = {
	__proto__: null,
	agent_thinking: ["thought", "stream", "running", false],
	agent_message: ["message", "message_id", "running", true],
	agent_state: ["state", "", "ok", true],
	agent_data: ["data", "", "ok", true],
	tool_executing: ["tool", "tool_call_id", "running", false],
	tool_completed: ["tool", "tool_call_id", "", true],
	approval_requested: ["approval", "approval_id", "waiting", false],
	approval_resolved: ["approval", "approval_id", "", true],
};

export class Run {
	agentType = "";
	input = null;
	status = "sending";
	firstSeq = null;
	askedAt = null;
	startedAt = null;
	endedAt = null;
	durationMs = null;
	started = null; // the event
	terminal = null; // the event that ended it
	eventCount = 0;
	steps = [];
	stopping = false; // a stop was requested and is not confirmed yet
	version = 0; // of its look
	extent = new Extent(120, 40, 100); // the steps that are shown
	#byKey = new Map();
	#bySeq = new Map();
	#thought = null; // the one that is growing

	constructor(id) {
		this.id = id;
	}

	get isOver() {
		return this.endedAt !== null;
	}

	stepAt(seq) {
		return this.#bySeq.get(seq) ?? null;
	}

	apply(event) {
		const { event_type: type, data } = event;
		const at = Date.parse(event.timestamp);
		this.version += 1;
		this.eventCount += 1;
		this.firstSeq ??= event.seq;
		this.askedAt ??= at;
		const step = STEPS[type] && this.#step(event, at, ...STEPS[type]);
		if (this.#thought && this.#thought !== step) close(this.#thought, at); // it lasts until the next step
		this.#thought = type === "agent_thinking" ? step : null;
		if (type === "run_queued") this.status = "queued";
		if (type === "agent_started") {
			Object.assign(this, { started: event, agentType: data.agent_type, input: data.input, status: "running", startedAt: at });
		} else if (step?.kind === "approval") {
			this.status = this.steps.some(({ status }) => status === "waiting") ? "waiting" : "running";
		} else if (TERMINAL_STATUS[type]) {
			const durationMs = data.duration_ms ?? (this.startedAt === null ? null : at - this.startedAt);
			Object.assign(this, { terminal: event, status: TERMINAL_STATUS[type], endedAt: at, durationMs });
			for (const one of this.steps) if (one.status === "running") close(one, one.endAt ?? at);
		}
	}

	#step(event, at, kind, id, status, isOver) {
		const { seq, data, event_type: type } = event;
		const key = type === "agent_data" ? `data ${data.name} ${data.id ?? seq}` : `${kind} ${data[id]}`;
		let step = this.#byKey.get(key);
		if (!step) {
			step = { kind, key, index: this.steps.length, seq, at, text: "", count: 0, first: event };
			this.steps.push(step);
			this.#byKey.set(key, step);
		}
		step.last = event; // deltas in between are not kept
		step.count += 1;
		step.text += data.delta ?? "";
		step.data = { ...step.data, ...data };
		step.status = status || data.status || (data.by !== "user" ? data.by : data.approved ? "approved" : "denied");
		step.endAt = isOver ? at : null;
		this.#bySeq.set(seq, step);
		return step;
	}
}

function close(step, at) {
	step.endAt = at;
	step.status = "ok";
}
