// A program as its author would write it: it has to compile under `strict` (test_types.py). It is not run.

import { NetraClient, NetraError, newId } from "../../../netra/static/netra/netra-client.js";
import type { ControlFrame, NetraEvent } from "../../../netra/static/netra/netra-client.js";

interface Question {
  message: string;
  details?: { depth: number };
}

const readJson = async (signal?: AbortSignal): Promise<{ token: string }> => (await fetch("/token", { signal })).json();

const client = new NetraClient({
  url: "wss://example.org/ws",
  token: async (attempt) => (await readJson(attempt?.signal)).token,
  beforeConnect: async ({ signal }) => void (await fetch("/me", { signal })),
  cursors: new Map([["T", 3]]),
  epoch: localStorage.getItem("epoch"),
});

function describe(event: NetraEvent): string {
  switch (event.event_type) {
    case "agent_message":
      return event.data.delta;
    case "tool_completed":
      return `${event.data.status} after ${event.data.duration_ms}`;
    case "approval_requested":
      return event.data.expires_at;
    default:
      return `${event.thread_id} ${event.seq}`;
  }
}

function minutesLeft(frame: ControlFrame): number | null {
  if (frame.event_type === "session_expiring" || frame.event_type === "authenticated") return Date.parse(frame.expires_at);
  if (frame.event_type === "error") return frame.retry_after_ms ?? null;
  if (frame.event_type === "synced") return frame.threads.filter(({ active_run_id: id }) => id !== null).length;
  if (frame.event_type === "watching") return frame.threads === "*" ? null : frame.threads.length;
  return null;
}

const stopListening: () => void = client.on("event", (event, { replayed }) => console.log(describe(event), replayed));
client.on("session_expiring", ({ expires_at }) => expires_at.slice(0, 10));
client.on("control", minutesLeft);
client.on("notice", ({ name, data }) => console.log(name, data));
client.on("reset", ({ threadId, lastSeq }) => console.log(threadId, lastSeq + 1));
client.on("error", ({ code, frame }) => console.log(code, frame.thread_id));
client.on("status", ({ retryAt }) => retryAt !== null && retryAt - Date.now());

export async function main(): Promise<void> {
  client.connect({ token: "fresh" });
  const question: Question = { message: "hello" };
  const first = await client.start("test", question, { threadId: newId(), ifBusy: "reject" });
  if (first.event_type === "agent_started") console.log(first.data.agent_type);
  else if (first.event_type === "run_queued") console.log(first.data.position + 1);
  else console.log(first.thread_id);

  const ended = await client.stop("R", "no more");
  if (ended.event_type === "agent_cancelled") console.log(ended.data.reason);
  else if (ended.event_type === "error") console.log(ended.code);
  const decided = await client.respond("R", "A", true, question);
  if (decided.event_type === "approval_resolved") console.log(decided.data.by);
  else console.log(decided.decision?.approved);

  const threads: readonly string[] = ["T", "U"];
  const watching: string[] | "*" = (await client.watch(threads)).threads;
  const until: string = (await client.authenticate("fresh")).expires_at;
  const { threads: summaries } = await client.sync({ limit: 10 });
  const last: number | undefined = summaries[0]?.last_seq;
  const { run_status: status } = await client.resume("T", 0);
  console.log(watching, until, last, status, (await client.ping(question)).payload);
  client.resumeAll({ T: 3 });
  client.resumeAll(new Map([["T", 3]]));
  client.forget("T");
  localStorage.setItem("state", JSON.stringify({ cursors: client.cursors, epoch: client.epoch }));
  try {
    await client.start("test");
  } catch (error) {
    if (error instanceof NetraError) console.log(error.frame.decision?.approved, error.retryAfterMs, error.incident);
  }
  stopListening();
  client.close();
}

// What must not compile.
// @ts-expect-error an event has no such data
client.on("event", (event) => event.event_type === "agent_message" && event.data.arguments);
// @ts-expect-error no such option
new NetraClient({ urll: "wss://example.org/ws" });
// @ts-expect-error no such event
client.on("evnt", () => {});
// @ts-expect-error no such way
void client.start("test", {}, { ifBusy: "wait" });
