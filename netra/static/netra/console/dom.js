/** Describes the page as plain objects and updates the DOM. Nothing here parses strings as HTML. */

const SVG = "http://www.w3.org/2000/svg";
const NOTHING = [null, undefined, false, ""];

/** h("button.quiet", { onclick: stop }, icon("stop"), "Stop"). Elements are matched by `key`, else by place. */
export const h = (tag, ...rest) => new Wish(tag, ...(rest[0]?.constructor === Object ? rest : [{}, ...rest]));

/** Everything else is text, whatever an agent writes. */
class Wish {
	constructor(tag, properties, ...children) {
		Object.assign(this, { tag, properties, children, key: properties.key });
	}
}

export const icon = (name) => h("svg.icon", { "aria-hidden": "true" }, h("use", { href: `#${name}` }));

/** Replace an element's children with as few changes as possible. */
export function patch(parent, ...children) {
	const wanted = new Map(entries(children));
	const kept = new Map();
	for (const node of [...parent.childNodes]) {
		const same = node.made !== undefined && wanted.has(node.key) && wanted.get(node.key).tag === node.made.tag;
		if (same) kept.set(node.key, node);
		else node.remove();
	}
	let at = parent.firstChild;
	for (const [key, wish] of wanted) {
		const node = kept.get(key) ?? make(wish, parent);
		node.key = key;
		update(node, wish);
		if (node === at) at = at.nextSibling;
		else parent.insertBefore(node, at);
	}
}

function entries(children, prefix = "") {
	return children.flatMap((child, index) => {
		if (NOTHING.includes(child)) return [];
		if (Array.isArray(child)) return entries(child, `${prefix}${index}.`);
		return [[child.key ?? prefix + index, child instanceof Wish ? child : String(child)]];
	});
}

function make({ tag }, parent) {
	if (!tag) return document.createTextNode("");
	const [name, ...classes] = tag.split(".");
	const isSvg = name === "svg" || parent.namespaceURI === SVG;
	const element = isSvg ? document.createElementNS(SVG, name) : document.createElement(name);
	if (classes.length) element.setAttribute("class", classes.join(" "));
	if (name === "button") element.type = "button";
	return element;
}

function update(node, wish) {
	const { made } = node;
	if (made === wish) return;
	node.made = wish;
	if (!wish.tag) {
		write(node, wish);
		return;
	}
	for (const name of Object.keys({ ...made?.properties, ...wish.properties })) {
		const [before, now] = [made?.properties[name], wish.properties[name]];
		if (name === "style") {
			// Not as an attribute, which would need a weaker security policy.
			for (const part in now) if (before?.[part] !== now[part]) node.style.setProperty(part, now[part]);
		} else if (before !== now && name !== "key") set(node, name, now);
	}
	patch(node, ...wish.children);
}

/** Replaces only the difference, so that selections in the rest remain. */
function write(node, text) {
	const { data } = node;
	if (text.startsWith(data)) return node.appendData(text.slice(data.length));
	let same = 0;
	while (same < text.length && text[same] === data[same]) same += 1;
	node.replaceData(same, data.length - same, text.slice(same));
}

function set(node, name, value) {
	if (name.startsWith("on")) node[name] = value ?? null;
	else if (NOTHING.includes(value)) node.removeAttribute(name);
	else if (node.namespaceURI === SVG && name === "href") node.setAttribute(name, document.documentElement.dataset.icons + value);
	else node.setAttribute(name, value === true ? "" : value);
}

/** `text` may be a function, called when it is pressed. */
export function copyButton(text, label = "Copy") {
	const onclick = async ({ currentTarget: { lastChild: { firstChild: words } } }) => {
		const wanted = typeof text === "function" ? text() : text;
		const copied = await (navigator.clipboard?.writeText(wanted).then(() => true, () => false) ?? copyWithoutClipboard(wanted));
		words.data = copied ? "Copied" : "Not allowed here";
		setTimeout(() => (words.data = label), 1_600);
	};
	return h("button.copy", { onclick }, icon("copy"), h("span", label));
}

/** Pages over plain http have no clipboard, but may copy what is selected. */
function copyWithoutClipboard(text) {
	const box = Object.assign(document.createElement("textarea"), { value: text, className: "off-screen" });
	const { activeElement } = document;
	document.body.append(box);
	box.select();
	const copied = document.execCommand("copy");
	box.remove();
	activeElement?.focus();
	return copied;
}

/** `original`: the text to copy, if not the shown one. */
export function listing(title, text, original = text) {
	return h("figure.code", h("figcaption", title, copyButton(original)), h("pre", { tabindex: "0" }, h("code", text)));
}
