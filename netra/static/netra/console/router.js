/** Addresses within the console: `#/`, `#/new`, `#/t/THREAD`, `#/t/THREAD/r/RUN`, `#/t/THREAD/r/RUN/e/SEQ`. */

export function parse(hash) {
	const [page, threadId, r, runId, e, seq] = hash.replace(/^#?\/?/, "").split("/");
	if (page === "new") return { page };
	if (page !== "t" || !threadId) return { page: "home" };
	const route = { page: "thread", threadId, runId: (r === "r" && runId) || null, seq: null };
	if (route.runId && e === "e" && /^\d+$/.test(seq ?? "")) route.seq = Number(seq);
	return route;
}

/** Ids contain no special characters of addresses. */
export function address({ page = "thread", threadId, runId, seq }) {
	if (page !== "thread") return page === "new" ? "#/new" : "#/";
	return `#/t/${threadId}${runId ? `/r/${runId}` : ""}${runId && seq ? `/e/${seq}` : ""}`;
}
