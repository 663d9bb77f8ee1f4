/** The limits of one frame: the server closes for a larger one, and refuses one that names too many threads. */

import { NetraError } from "./values.js";

const MAX_BYTES = 64 * 1024;
const MAX_ITEMS = 1000;
const ENVELOPE = 1024; // at most, around the items
const LEGAL_ID = /^[\w.:-]{1,128}$/;

export function isTooLarge(text) {
	return text.length * 3 > MAX_BYTES && new TextEncoder().encode(text).length > MAX_BYTES;
}

/** Valid in a resume: one bad item fails the whole frame. */
export function isCursor(id, cursor = 0) {
	return typeof id === "string" && LEGAL_ID.test(id) && Number.isSafeInteger(cursor) && cursor >= 0;
}

/** Parts of `[id, cursor]` that fit into a frame each; ids that the server knows are one byte a character. */
export function parts(cursors) {
	const all = [];
	let room = 0;
	for (const item of cursors) {
		const size = item.join().length + 4;
		if (room < size || all.at(-1).length === MAX_ITEMS) {
			all.push([]);
			room = MAX_BYTES - ENVELOPE;
		}
		all.at(-1).push(item);
		room -= size;
	}
	return all;
}

/** Throws if the server would refuse it or close. */
export function watchFrame(threads) {
	if (threads === "*") return { action: "watch", threads };
	const bad = [...threads].find((id) => !isCursor(id));
	if (bad !== undefined) throw new NetraError("invalid_action", `${String(bad).slice(0, 128)} is not a thread id`);
	const frame = { action: "watch", threads: [...threads] };
	if (threads.size <= MAX_ITEMS && JSON.stringify(frame).length < MAX_BYTES - ENVELOPE) return frame;
	throw new NetraError("too_large", "Too many threads for one frame: watch fewer, or `*`");
}
