/**
 * Markdown within a line, of untrusted text: HTML is text, images become links (fetching an image that an agent names
 * would reveal the reader). All patterns have a bounded length, so work is linear.
 */

import { h } from "./dom.js";

const TOKEN = new RegExp([
	/\\(?<plain>[!-/:-@[-`{-~])/,
	/(?<!`)(?<tick>`{1,9})(?!`)(?<code>[^]{1,500}?)(?<!`)\k<tick>(?!`)/,
	/!?\[(?<label>[^[\]\n]{0,300})\]\( ?<?(?<to>(?:[^\s<>()]|\([^\s<>()]{0,99}\)){0,2000})>?(?: (?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))? ?\)/,
	/<(?<angled>(?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/,
	/(?<![\p{L}\p{N}_])(?<bare>https?:\/\/(?:[^\s<>"'`()\]]|\([^\s<>()]{0,99}\)){1,2000})(?<![.,;:!?*_~])/,
	/\*\*(?=\S)(?<strong>[^]{1,500}?)(?<![\s\\])\*\*/,
	/(?<![\p{L}\p{N}_])__(?=\S)(?<strong_>[^]{1,500}?)(?<![\s\\])__(?![\p{L}\p{N}_])/,
	/(?<!\*)\*(?![\s*])(?<em>[^]{1,500}?)(?<![\s\\*])\*(?!\*)/,
	/(?<![\p{L}\p{N}_])_(?![\s_])(?<em_>[^]{1,500}?)(?<![\s\\_])_(?![\p{L}\p{N}_])/,
	/~~(?=\S)(?<del>[^]{1,500}?)(?<![\s\\])~~/,
	/(?<line>\n)/,
].map(({ source }) => source).join("|"), "gu");

/** Null when it may not be linked to, as relative ones: an agent does not know this site. */
export function safeHref(address) {
	return /^(?:https?:\/\/|mailto:)/i.test(address) && URL.canParse(address) ? new URL(address).href : null;
}

export function inline(text, links = true) {
	const nodes = [];
	let at = 0;
	for (const { 0: whole, index, groups } of text.matchAll(TOKEN)) {
		nodes.push(text.slice(at, index), element(whole, groups, links));
		at = index + whole.length;
	}
	return [...nodes, text.slice(at)];
}

function element(whole, { plain, code, label, to, angled, bare, line, ...marks }, links) {
	if (plain) return plain;
	if (line) return h("br"); // line breaks of agents are intended
	if (code) return h("code", {}, (/^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code).replace(/\n/g, " "));
	const href = safeHref(to ?? angled ?? bare ?? "");
	if (href && links) {
		const content = label ? inline(label, false) : (angled ?? bare ?? href);
		return h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" }, content);
	}
	const [mark, inner] = Object.entries(marks).find(([name, found]) => found && name !== "tick") ?? [];
	// A disallowed link stays visible as text.
	return mark ? h(mark.replace("_", ""), {}, inline(inner, links)) : whole;
}
