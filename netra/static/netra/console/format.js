/** Values as people read them. Pure functions. */

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const NUMBER = new Intl.NumberFormat("en");
// Characters that reorder or hide what stands beside them: shown by name, so that no argument can pose as another.
const DECEPTIVE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

export function absolute(time) {
  return ABSOLUTE.format(time);
}

/** "12:04" today, "31 Jan" before. */
export function moment(time, now) {
  const sameDay = new Date(time).toDateString() === new Date(now).toDateString();
  return sameDay ? CLOCK.format(time) : DAY.format(time);
}

/** "in 3 hr." */
export function fromNow(time, now) {
  const seconds = (time - now) / 1_000;
  for (const [unit, size] of [["day", 86_400], ["hour", 3_600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.round(seconds / size), unit);
  }
  return RELATIVE.format(Math.round(seconds), "second");
}

export function number(value) {
  return NUMBER.format(value);
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

function undeceive(text) {
  return text.replace(DECEPTIVE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A JSON value over several lines. */
export function pretty(value) {
  return undeceive(JSON.stringify(value, null, 2) ?? "");
}

/** Arguments on one line: `city: "Bonn", days: 3`. The row clips what does not fit; this only bounds the work. */
export function oneLine(value, limit = 300) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return undeceive(JSON.stringify(value).slice(0, limit));
  const isList = Array.isArray(value);
  let text = "";
  for (const [key, item] of Object.entries(value)) {
    const shown = typeof item === "string" ? JSON.stringify(item.slice(0, limit)) : JSON.stringify(item);
    text += `${text ? ", " : ""}${isList ? "" : `${key}: `}${shown}`;
    if (text.length > limit) break;
  }
  return undeceive(text.slice(0, limit));
}

/** What was asked, as text when it was text. */
export function asked(input) {
  if (input === null || input === undefined) return "";
  if (typeof input === "string") return input;
  const keys = Object.keys(input);
  if (keys.length === 0) return "";
  if (keys.length === 1 && typeof input.message === "string") return input.message;
  return null;
}

/** Tokens used, under whichever of the usual names. */
export function tokens(usage) {
  if (!usage || typeof usage !== "object") return null;
  if (Number.isFinite(usage.total_tokens)) return usage.total_tokens;
  const parts = ["input_tokens", "output_tokens", "request_tokens", "response_tokens", "prompt_tokens", "completion_tokens"];
  const known = parts.map((part) => usage[part]).filter(Number.isFinite);
  return known.length ? known.reduce((sum, part) => sum + part, 0) : null;
}
