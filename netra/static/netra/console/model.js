/**
 * What the console knows of a thread: its runs and their steps, built from journalled events alone. No DOM, no clock:
 * the same events always give the same picture, live, replayed or after a reload.
 */

const TERMINAL_STATUS = { agent_completed: "completed", agent_failed: "failed", agent_cancelled: "cancelled" };

/** One thing the agent did, as the reader sees it: a thought, a tool call, a message, an approval, a state. */
class Step {
  constructor(kind, key, event) {
    this.kind = kind;
    this.key = key;
    this.index = -1; // place in the run, set when it is added
    this.seq = event.seq; // of its first event: what a link names
    this.at = Date.parse(event.timestamp);
    this.endAt = null;
    this.text = ""; // thoughts and messages
    this.status = "running";
    this.first = event; // shown as raw frames; deltas in between are not kept
    this.last = event;
    this.count = 0;
  }
}

export class Run {
  constructor(id) {
    this.id = id;
    this.agentType = "";
    this.input = null;
    this.status = "sending";
    this.firstSeq = null;
    this.lastSeq = null;
    this.askedAt = null;
    this.startedAt = null;
    this.endedAt = null;
    this.durationMs = null;
    this.result = undefined;
    this.usage = null;
    this.failure = null;
    this.reason = null;
    this.position = null; // in the queue, as the server said when it was put there
    this.eventCount = 0;
    this.steps = [];
    this.changed = new Set(); // steps to draw again; the view empties it
    this.pendingApprovals = 0;
    this.failedTools = 0;
    this.stopping = false; // the reader asked for a stop that has not come back yet
    this.terminal = null; // the event that ended it
    this.started = null; // and the one that began it
    this.byKey = new Map();
    this.stepOfSeq = new Map();
    this.openThought = null;
  }

  get isOver() {
    return this.endedAt !== null;
  }

  /** The step an event of this run belongs to, if it belongs to one. */
  stepAt(seq) {
    return this.stepOfSeq.get(seq) ?? null;
  }

  apply(event) {
    const { event_type: type, data } = event;
    const at = Date.parse(event.timestamp);
    this.eventCount += 1;
    this.firstSeq ??= event.seq;
    this.lastSeq = event.seq;
    this.askedAt ??= at;
    if (this.openThought && !(type === "agent_thinking" && this.openThought.key === `thought ${data.stream}`)) {
      this.#close(this.openThought, at); // a thought lasts until something else happens
      this.openThought = null;
    }
    const step = Run.#apply[type]?.call(this, event, at) ?? null;
    if (step) {
      step.last = event;
      step.count += 1;
      this.stepOfSeq.set(event.seq, step);
      this.changed.add(step);
    }
    if (TERMINAL_STATUS[type]) this.#end(event, at);
  }

  static #apply = {
    __proto__: null,
    run_queued({ data }) {
      this.status = "queued";
      this.position = data.position;
    },
    agent_started(event, at) {
      this.started = event;
      this.agentType = event.data.agent_type;
      this.input = event.data.input;
      this.status = "running";
      this.startedAt = at;
    },
    agent_thinking(event) {
      const step = this.#step("thought", `thought ${event.data.stream}`, event);
      step.text += event.data.delta;
      step.status = "running";
      step.endAt = null;
      this.openThought = step;
      return step;
    },
    agent_message(event, at) {
      const step = this.#step("message", `message ${event.data.message_id}`, event);
      step.text += event.data.delta;
      step.endAt = at;
      return step;
    },
    tool_executing(event) {
      const step = this.#step("tool", `tool ${event.data.tool_call_id}`, event);
      step.name = event.data.tool_name;
      step.arguments = event.data.arguments;
      return step;
    },
    tool_completed(event, at) {
      const step = this.#step("tool", `tool ${event.data.tool_call_id}`, event);
      const { status, result, error, duration_ms: durationMs, tool_name: name } = event.data;
      Object.assign(step, { name, status, result, error, durationMs, endAt: at });
      if (status === "error") this.failedTools += 1;
      return step;
    },
    agent_state(event, at) {
      const step = this.#step("state", "state", event);
      step.state = event.data.state;
      step.status = "ok";
      step.endAt = at;
      return step;
    },
    approval_requested(event) {
      const step = this.#step("approval", `approval ${event.data.approval_id}`, event);
      const { approval_id: approvalId, tool_name: name, message, expires_at: expiresAt } = event.data;
      Object.assign(step, { approvalId, name, message, expiresAt, arguments: event.data.arguments, status: "waiting" });
      this.pendingApprovals += 1;
      this.status = "waiting";
      return step;
    },
    approval_resolved(event, at) {
      const step = this.#step("approval", `approval ${event.data.approval_id}`, event);
      const { approved, value, by } = event.data;
      Object.assign(step, { approved, value, by, endAt: at, status: approved ? "approved" : "denied" });
      if (by !== "user") step.status = by;
      this.pendingApprovals = Math.max(0, this.pendingApprovals - 1);
      if (!this.pendingApprovals && this.status === "waiting") this.status = "running";
      return step;
    },
  };

  #step(kind, key, event) {
    let step = this.byKey.get(key);
    if (!step) {
      step = new Step(kind, key, event);
      step.index = this.steps.push(step) - 1;
      this.byKey.set(key, step);
    }
    return step;
  }

  #close(step, at) {
    step.endAt = at;
    step.status = "ok";
    this.changed.add(step);
  }

  #end(event, at) {
    const { data } = event;
    this.terminal = event;
    this.status = TERMINAL_STATUS[event.event_type];
    this.endedAt = at;
    this.durationMs = data.duration_ms ?? (this.startedAt === null ? null : at - this.startedAt);
    this.result = data.result;
    this.usage = data.usage ?? null;
    if (event.event_type === "agent_failed") this.failure = data;
    if (event.event_type === "agent_cancelled") this.reason = data.reason;
    for (const step of this.steps) {
      if (step.status === "running") this.#close(step, step.endAt ?? at);
      if (step.kind === "message" || step.kind === "thought") this.changed.add(step);
    }
  }
}

export class Thread {
  constructor(id) {
    this.id = id;
    this.title = "";
    this.head = 0; // last seq applied
    this.runs = []; // as they began; those only sent come last
    this.byId = new Map();
    this.missing = []; // [from, to] of events that the server no longer has
  }

  /** The run that is going on: running, waiting, or, if none is, the first in the queue. */
  get active() {
    const live = this.runs.filter((run) => !run.isOver && run.status !== "sending");
    return live.find((run) => run.status !== "queued") ?? live[0] ?? null;
  }

  /** How many runs must end before this queued one begins. */
  runsBefore(run) {
    return this.runs.slice(0, this.runs.indexOf(run)).filter((other) => !other.isOver).length;
  }

  /** Take an event in; returns the run it changed, or null when it was known. */
  apply(event) {
    if (event.seq <= this.head) return null;
    this.head = event.seq;
    let run = this.byId.get(event.run_id);
    if (!run) {
      run = new Run(event.run_id);
      this.byId.set(run.id, run);
      this.runs.push(run);
    }
    const isNew = run.firstSeq === null;
    run.apply(event);
    if (isNew) this.runs.sort((one, other) => (one.firstSeq ?? Infinity) - (other.firstSeq ?? Infinity));
    return run;
  }

  /** Show a run before the server has heard of it. */
  send(runId, agentType, input, now) {
    const run = new Run(runId);
    Object.assign(run, { agentType, input, askedAt: now });
    this.byId.set(runId, run);
    this.runs.push(run);
    return run;
  }

  /** Take back a run that could not be sent. */
  unsend(runId) {
    const run = this.byId.get(runId);
    if (!run || run.firstSeq !== null) return;
    this.byId.delete(runId);
    this.runs.splice(this.runs.indexOf(run), 1);
  }

  find(seq) {
    for (const run of this.runs) {
      if (run.firstSeq === null || seq < run.firstSeq || seq > run.lastSeq) continue;
      const step = run.stepAt(seq);
      if (step) return { run, step };
    }
    return null;
  }
}
