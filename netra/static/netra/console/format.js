/** Formats values for people. */

import { undeceive } from "./honest.js";

const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const NUMBER = new Intl.NumberFormat("en");

export function duration(ms) {
	if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
	if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
	if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1_000);
	if (seconds < 60) return `${seconds} s`;
	if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
	return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

export const absolute = (time) => ABSOLUTE.format(time);

/** "12:04" today, "31 Jan" before, "31 Jan 2025" in another year. */
export function moment(time, now) {
	const [then, today] = [new Date(time), new Date(now)];
	if (then.toDateString() === today.toDateString()) return CLOCK.format(then);
	return (then.getFullYear() === today.getFullYear() ? DAY : DATE).format(then);
}

export const number = (value) => NUMBER.format(value);

export const plural = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

export function pretty(value) {
	return undeceive(JSON.stringify(value, null, 2) ?? "");
}

/** `city: "Bonn", days: 3`. The row clips what does not fit; the limit bounds the work. */
export function oneLine(value, limit = 300) {
	if (value === null || value === undefined) return "";
	if (typeof value !== "object") return undeceive(JSON.stringify(value).slice(0, limit));
	let text = "";
	for (const [key, item] of Object.entries(value)) {
		const shown = JSON.stringify(typeof item === "string" ? item.slice(0, limit) : item);
		text += `${text ? ", " : ""}${Array.isArray(value) ? "" : `${key}: `}${shown}`;
		if (text.length > limit) break;
	}
	return undeceive(text.slice(0, limit));
}

/** The request, if it is text. */
export function asked(input) {
	if (typeof (input ?? "") === "string") return input ?? "";
	const keys = Object.keys(input);
	if (keys.length === 0) return "";
	return keys.length === 1 && typeof input.message === "string" ? input.message : null;
}

export function tokens(usage) {
	const entries = [usage].flat().map((entry) => entry?.total_tokens ?? entry?.input_tokens + entry?.output_tokens);
	const known = entries.filter(Number.isFinite);
	return known.length ? known.reduce((sum, count) => sum + count) : null;
}
