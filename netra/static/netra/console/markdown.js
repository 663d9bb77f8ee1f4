/** Markdown, block by block. Text in lines: `inline.js`. */

import { h, listing } from "./dom.js";
import { inline } from "./inline.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(?=\S)|[ \t]*$)/;
const START = new RegExp([FENCE, HEADING, RULE, QUOTE, ITEM].map(({ source }) => source).join("|"));
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const MAX_DEPTH = 12;
const AUTO = { dir: "auto" }; // for each block, since an answer may mix scripts

/** Pass the same `memo` for a growing text: it keeps the blocks that can no longer change. */
export function markdown(text, memo = { at: 0, blocks: [] }) {
	const lines = text.slice(memo.at).split("\n");
	const found = parse(lines, 0);
	const blocks = [...memo.blocks, ...found.map(({ block }) => block)];
	// The last may; and one that begins on the unfinished last line may yet belong to the one before ("-", "--").
	const open = found.slice(found.at(-1)?.line === lines.length - 1 ? -2 : -1);
	if (open.length) {
		memo.blocks = blocks.slice(0, blocks.length - open.length);
		for (const line of lines.slice(0, open[0].line)) memo.at += line.length + 1;
	}
	return h("div.markdown", blocks);
}

function parse(lines, depth) {
	const blocks = [];
	for (let line = 0; line < lines.length; ) {
		const [block, next] = isBlank(lines[line]) ? [null, line + 1] : read(lines, line, depth);
		if (block) blocks.push({ block, line });
		line = next;
	}
	return blocks;
}

const nested = (lines, depth) => parse(lines, depth + 1).map(({ block }) => block);
const isBlank = (line) => !/[^ \t]/.test(line);

/** The block that begins here, and the line after it. */
function read(lines, at, depth) {
	const line = lines[at];
	const [, mark, language] = FENCE.exec(line) ?? [];
	if (mark) {
		const end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`);
		const [body, next] = take(lines, at + 1, (one) => !end.test(one));
		return [listing(language || "text", body.join("\n")), next + 1];
	}
	const [, level, title] = HEADING.exec(line) ?? [];
	// The page's headings end at level 3; an agent's start below.
	if (level) return [h(`h${Math.min(6, level.length + 3)}`, AUTO, inline(title ?? "")), at + 1];
	if (RULE.test(line)) return [h("hr"), at + 1];
	if (depth < MAX_DEPTH && QUOTE.test(line)) {
		const [body, next] = take(lines, at, (one) => QUOTE.test(one));
		return [h("blockquote", AUTO, nested(body.map((one) => one.replace(QUOTE, "")), depth)), next];
	}
	if (depth < MAX_DEPTH && ITEM.test(line)) return readList(lines, at, depth);
	const table = line.includes("|") && TABLE_RULE.test(lines[at + 1]) && readTable(lines, at);
	if (table) return table;
	const [body, next] = take(lines, at + 1, (one) => !isBlank(one) && (depth >= MAX_DEPTH || !START.test(one)));
	return [h("p", AUTO, inline([line, ...body].map((one) => one.trimStart()).join("\n"))), next];
}

function take(lines, at, isSuch) {
	let next = at;
	while (next < lines.length && isSuch(lines[next])) next += 1;
	return [lines.slice(at, next), next];
}

function readList(lines, at, depth) {
	const [, start] = ITEM.exec(lines[at]);
	const items = [];
	let next = at;
	while (next < lines.length) {
		const item = ITEM.exec(lines[next]);
		if (!item || !item[1] !== !start || RULE.test(lines[next])) break;
		const width = item[0].length;
		const body = [lines[next].slice(width)];
		let blank = false;
		for (next += 1; next < lines.length; next += 1) {
			const line = lines[next].replace(/\t/g, "    ");
			const indent = line.search(/[^ ]/);
			// A paragraph continues unindented.
			if (indent !== -1 && indent < Math.min(width, 2) && (blank || START.test(line))) break;
			blank = indent === -1;
			body.push(line.slice(Math.min(Math.max(indent, 0), width)));
		}
		const [first, ...others] = nested(body, depth);
		items.push(h("li", AUTO, first?.tag === "p" ? first.children : first, others));
	}
	return [start ? h("ol", { start, ...AUTO }, items) : h("ul", AUTO, items), next];
}

function readTable(lines, at) {
	const align = cells(lines[at + 1]).map((rule) => (rule.endsWith(":") ? (rule.startsWith(":") ? ".center" : ".right") : ""));
	const head = cells(lines[at]);
	if (head.length !== align.length) return null;
	const [body, next] = take(lines, at + 2, (line) => line.includes("|"));
	const row = (tag, texts) => h("tr", align.map((side, column) => h(tag + side, AUTO, inline(texts[column] ?? ""))));
	const table = h("table", AUTO, h("thead", row("th", head)), h("tbody", body.map((line) => row("td", cells(line)))));
	return [h("div.table", { tabindex: "0" }, table), next];
}

function cells(line) {
	const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
	return inner.split(/(?<!\\)\|/).map((text) => text.trim().replaceAll("\\|", "|"));
}
