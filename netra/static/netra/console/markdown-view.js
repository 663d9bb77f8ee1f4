/** Elements for what `markdown.js` has parsed; grows with a streamed text without building again what is complete. */

import { copyButton, h } from "./dom.js";
import { parseMarkdown, settledBlocks } from "./markdown.js";

export class MarkdownView {
  constructor() {
    this.element = h("div", { class: "markdown", dir: "auto" });
    this.length = 0;
    this.settled = 0; // up to here the text has become elements that will not change any more
    this.open = []; // the elements of what may
    this.openCode = null; // the listing that is being streamed, if that is what is open
  }

  /** Show `text`, which must begin with what was shown before. */
  update(text) {
    if (text.length === this.length) return;
    this.length = text.length;
    const tail = text.slice(this.settled);
    const blocks = parseMarkdown(tail);
    if (!blocks.length || this.#growCode(blocks)) return;
    const settled = settledBlocks(blocks, tail);
    for (const element of this.open) element.remove();
    const elements = blocks.map(renderBlock);
    this.element.append(...elements);
    this.open = elements.slice(settled);
    this.openCode = this.open.length === 1 && blocks.at(-1).type === "code" ? blocks.at(-1) : null;
    this.settled += lengthOfLines(tail, blocks[settled].line);
  }

  /** A long listing that streams in: only its text grows, its copy button stays under the finger. */
  #growCode(blocks) {
    const [block] = blocks;
    if (!this.openCode || blocks.length > 1 || block.type !== "code" || block.language !== this.openCode.language) {
      return false;
    }
    this.open[0].querySelector("code").textContent = block.text;
    return true;
  }
}

function lengthOfLines(text, count) {
  let at = 0;
  for (let line = 0; line < count; line += 1) at = text.indexOf("\n", at) + 1;
  return at;
}

function renderBlock(block) {
  switch (block.type) {
    case "heading":
      // The page's own headings end at level 3: an agent's begin below them.
      return h(`h${Math.min(6, block.level + 3)}`, { class: `level-${block.level}` }, renderInline(block.inline));
    case "code":
      return renderCode(block);
    case "quote":
      return h("blockquote", {}, block.blocks.map(renderBlock));
    case "list":
      return renderList(block);
    case "table":
      return renderTable(block);
    case "rule":
      return h("hr");
    default:
      return h("p", {}, renderInline(block.inline));
  }
}

function renderCode({ language, text }) {
  const code = h("code", {}, text);
  const bar = h("div", { class: "code-bar" }, h("span", {}, language || "text"), copyButton(() => code.textContent));
  return h("div", { class: "code" }, bar, h("pre", { tabindex: "0" }, code));
}

function renderList({ ordered, start, tight, items }) {
  const rendered = items.map(({ checked, blocks }) => {
    const box = checked === null ? null : h("input", { type: "checkbox", disabled: true, checked, "aria-label": "done" });
    const content = blocks.map((block) => {
      return tight && block.type === "paragraph" ? h("span", {}, renderInline(block.inline)) : renderBlock(block);
    });
    return h("li", { class: box && "task" }, box, content);
  });
  return ordered ? h("ol", { start: start === 1 ? null : start }, rendered) : h("ul", {}, rendered);
}

function renderTable({ align, head, rows }) {
  const cell = (tag) => (inline, column) => h(tag, { class: `align-${align[column]}` }, renderInline(inline));
  const body = rows.map((row) => h("tr", {}, row.map(cell("td"))));
  const table = h("table", {}, h("thead", {}, h("tr", {}, head.map(cell("th")))), h("tbody", {}, body));
  return h("div", { class: "table", tabindex: "0" }, table);
}

const INLINE_TAGS = { strong: "strong", emphasis: "em", deleted: "del" };

function renderInline(nodes) {
  return nodes.map((node) => {
    switch (node.type) {
      case "text":
        return document.createTextNode(node.text);
      case "code":
        return h("code", {}, node.text);
      case "break":
        return h("br");
      case "link": {
        const properties = { href: node.href, title: node.href, target: "_blank", rel: "noopener noreferrer nofollow" };
        return h("a", properties, renderInline(node.children));
      }
      default:
        return h(INLINE_TAGS[node.type], {}, renderInline(node.children));
    }
  });
}
