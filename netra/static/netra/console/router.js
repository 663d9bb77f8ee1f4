/** Addresses within the console: `#/`, `#/new`, `#/t/THREAD`, `#/t/THREAD/r/RUN`, `#/t/THREAD/r/RUN/e/SEQ`. */

export function parse(hash) {
  const parts = hash.replace(/^#?\/?/, "").split("/").map(decode);
  if (parts[0] === "new") return { page: "new" };
  if (parts[0] !== "t" || !parts[1]) return { page: "home" };
  const route = { page: "thread", threadId: parts[1], runId: null, seq: null };
  if (parts[2] === "r" && parts[3]) route.runId = parts[3];
  if (route.runId && parts[4] === "e" && /^\d+$/.test(parts[5] ?? "")) route.seq = Number(parts[5]);
  return route;
}

export function address({ page = "thread", threadId, runId, seq }) {
  if (page === "home") return "#/";
  if (page === "new") return "#/new";
  let hash = `#/t/${encodeURIComponent(threadId)}`;
  if (runId) hash += `/r/${encodeURIComponent(runId)}`;
  if (runId && seq) hash += `/e/${seq}`;
  return hash;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
