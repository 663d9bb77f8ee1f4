/**
 * Markdown to a tree of plain objects, for text that nobody vouches for. Raw HTML is text like any other, images become
 * links (a page that fetches what an agent names would tell the world who reads it), and links lead to http, https or
 * mailto or are not links. `markdown-view.js` turns the tree into elements.
 *
 * A streamed answer is parsed over and over while it grows, so every top-level block carries the line it begins at;
 * `settledBlocks` says how many of them can not change any more by what is appended. Work is linear in the length.
 */

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( {0,3})(?:([-*+])|(\d{1,9})[.)])(?:[ \t]+(?=\S)|[ \t]*$)/;
const QUOTE = /^ {0,3}> ?/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const TASK = /^\[([ xX])\][ \t]+/;
const BLANK = /^[ \t]*$/;
const MAX_DEPTH = 12;

export function parseMarkdown(text) {
  return parseBlocks(text.split("\n"), 0);
}

/**
 * How many of the blocks of a growing text are final. All but the last; and a block that begins on the unfinished last
 * line may yet turn out to belong to the one before ("-" begins a list, "--" does not).
 */
export function settledBlocks(blocks, text) {
  const lastLine = text.split("\n").length - 1;
  return Math.max(0, blocks.length - (blocks.at(-1)?.line === lastLine ? 2 : 1));
}

/** The address when it may be linked to, else null. Relative ones are refused: an agent does not know this site. */
export function safeHref(address) {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address)) return null;
  try {
    return new URL(address).href;
  } catch {
    return null;
  }
}

// ---- blocks -----------------------------------------------------------------------------------------------------------

function parseBlocks(lines, depth) {
  const blocks = [];
  let index = 0;
  while (index < lines.length) {
    if (BLANK.test(lines[index])) {
      index += 1;
      continue;
    }
    const line = index;
    const [block, next] = readBlock(lines, index, depth);
    blocks.push({ ...block, line });
    index = next;
  }
  return blocks;
}

function readBlock(lines, index, depth) {
  const line = lines[index];
  const fence = FENCE.exec(line);
  if (fence) return readFence(lines, index, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ type: "heading", level: heading[1].length, inline: parseInline(heading[2] ?? "") }, index + 1];
  if (RULE.test(line)) return [{ type: "rule" }, index + 1];
  if (depth < MAX_DEPTH) {
    if (QUOTE.test(line)) return readQuote(lines, index, depth);
    if (ITEM.test(line)) return readList(lines, index, depth);
  }
  if (line.includes("|") && TABLE_RULE.test(lines[index + 1] ?? "")) {
    const table = readTable(lines, index);
    if (table) return table;
  }
  return readParagraph(lines, index, depth);
}

function readFence(lines, index, [, indent, mark, language]) {
  const end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`);
  const body = [];
  let next = index + 1;
  while (next < lines.length && !end.test(lines[next])) {
    body.push(indent ? lines[next].replace(new RegExp(`^ {0,${indent.length}}`), "") : lines[next]);
    next += 1;
  }
  return [{ type: "code", language, text: body.join("\n") }, next + 1];
}

function readQuote(lines, index, depth) {
  const body = [];
  let next = index;
  while (next < lines.length && QUOTE.test(lines[next])) {
    body.push(lines[next].replace(QUOTE, ""));
    next += 1;
  }
  return [{ type: "quote", blocks: parseBlocks(body, depth + 1) }, next];
}

function readList(lines, index, depth) {
  const first = ITEM.exec(lines[index]);
  const ordered = first[3] !== undefined;
  const list = { type: "list", ordered, start: ordered ? Number(first[3]) : 1, tight: true, items: [] };
  let next = index;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next]);
    if (!item || (item[3] !== undefined) !== ordered || RULE.test(lines[next])) break;
    const width = item[0].length;
    const body = [lines[next].slice(width)];
    next += 1;
    let blank = false;
    while (next < lines.length) {
      const line = lines[next];
      if (BLANK.test(line)) {
        blank = true;
        body.push("");
      } else if (/^[ \t]/.test(line) && indentOf(line) >= Math.min(width, 2)) {
        if (blank) list.tight = false;
        blank = false;
        body.push(dedent(line, width));
      } else if (blank || startsBlock(line)) {
        break;
      } else {
        body.push(line); // a paragraph goes on without indentation
      }
      next += 1;
    }
    const following = blank ? ITEM.exec(lines[next] ?? "") : null;
    if (following && (following[3] !== undefined) === ordered) list.tight = false;
    const task = TASK.exec(body[0]);
    if (task) body[0] = body[0].slice(task[0].length);
    list.items.push({ checked: task ? task[1] !== " " : null, blocks: parseBlocks(body, depth + 1) });
  }
  return [list, next];
}

function indentOf(line) {
  return /^[ \t]*/.exec(line)[0].replace(/\t/g, "    ").length;
}

function dedent(line, width) {
  return line.replace(/\t/g, "    ").slice(Math.min(indentOf(line), width));
}

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
}

function readTable(lines, index) {
  const head = cells(lines[index]);
  const align = cells(lines[index + 1]).map((rule) => {
    if (rule.endsWith(":")) return rule.startsWith(":") ? "center" : "right";
    return "left";
  });
  if (head.length !== align.length) return null;
  const rows = [];
  let next = index + 2;
  while (next < lines.length && !BLANK.test(lines[next]) && lines[next].includes("|")) {
    const row = cells(lines[next]);
    rows.push(align.map((_, column) => parseInline(row[column] ?? "")));
    next += 1;
  }
  return [{ type: "table", align, head: head.map((cell) => parseInline(cell)), rows }, next];
}

function cells(line) {
  const found = [];
  let cell = "";
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === "\\" && line[at + 1] === "|") {
      cell += "|";
      at += 1;
    } else if (line[at] === "|") {
      found.push(cell);
      cell = "";
    } else {
      cell += line[at];
    }
  }
  found.push(cell);
  if (BLANK.test(found[0])) found.shift();
  if (found.length && BLANK.test(found.at(-1))) found.pop();
  return found.map((text) => text.trim());
}

function readParagraph(lines, index, depth) {
  let next = index + 1;
  while (next < lines.length && !BLANK.test(lines[next]) && (depth >= MAX_DEPTH || !startsBlock(lines[next]))) next += 1;
  const text = lines.slice(index, next).map((line) => line.replace(/^[ \t]+/, "")).join("\n");
  return [{ type: "paragraph", inline: parseInline(text) }, next];
}

// ---- inline -----------------------------------------------------------------------------------------------------------

const SPECIAL = /[\\`*_~[!<\n]|https?:\/\//g;
const BARE_URL = /^https?:\/\/[^\s<>"'`\]]+/;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}_]/u;
const EMPHASIS = { "**": "strong", __: "strong", "*": "emphasis", _: "emphasis", "~~": "deleted" };

function parseInline(text, depth = 0) {
  const nodes = [];
  // A closer that was not found once is not there further on either: without this, "****…" takes quadratic time.
  const absent = new Set();
  let plain = "";
  const flush = () => {
    if (plain) nodes.push({ type: "text", text: plain });
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const special = SPECIAL.exec(text);
    if (!special) break;
    plain += text.slice(at, special.index);
    at = special.index;
    const found = readInline(text, at, depth, absent);
    if (found) {
      flush();
      if (found.node) nodes.push(found.node);
      at = found.next;
    } else {
      const length = text[at] === "\\" && PUNCTUATION.test(text[at + 1] ?? "") ? 2 : special[0].length;
      plain += length === 2 && text[at] === "\\" ? text[at + 1] : text.slice(at, at + length);
      at += length;
    }
  }
  plain += text.slice(at);
  flush();
  return nodes;
}

function readInline(text, at, depth, absent) {
  const character = text[at];
  if (character === "\n") return readBreak(text, at);
  if (character === "`") return readCode(text, at, absent);
  if (character === "<") return readAutolink(text, at);
  if (character === "h") return readBareUrl(text, at);
  if (depth >= MAX_DEPTH) return null;
  if (character === "[") return readLink(text, at, depth, absent);
  if (character === "!" && text[at + 1] === "[") return readLink(text, at + 1, depth, absent);
  if (character === "*" || character === "_" || character === "~") return readEmphasis(text, at, depth, absent);
  return null;
}

function readBreak(text, at) {
  // Agents write for a screen, not for a typesetter: a line break they made is one they meant.
  return { node: { type: "break" }, next: at + 1 };
}

function readCode(text, at, absent) {
  const mark = /^`+/.exec(text.slice(at, at + 64))[0];
  if (absent.has(mark)) return null;
  let end = text.indexOf(mark, at + mark.length);
  while (end !== -1 && text[end + mark.length] === "`") {
    end += mark.length;
    while (text[end] === "`") end += 1;
    end = text.indexOf(mark, end);
  }
  if (end === -1) {
    absent.add(mark);
    return null;
  }
  const code = text.slice(at + mark.length, end).replace(/\n/g, " ");
  const trimmed = /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code;
  return { node: { type: "code", text: trimmed }, next: end + mark.length };
}

function readAutolink(text, at) {
  const found = /^<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/i.exec(text.slice(at, at + 2_010));
  const href = found && safeHref(found[1]);
  return href ? { node: link(href, [{ type: "text", text: found[1] }]), next: at + found[0].length } : null;
}

function readBareUrl(text, at) {
  if (at > 0 && WORD.test(text[at - 1])) return null;
  let [url] = BARE_URL.exec(text.slice(at, at + 2_000)) ?? [""];
  url = url.replace(/[.,;:!?*_~]+$/, "");
  if (url.endsWith(")") && !url.includes("(")) url = url.replace(/\)+$/, "");
  const href = safeHref(url);
  return href ? { node: link(href, [{ type: "text", text: url }]), next: at + url.length } : null;
}

function readLink(text, at, depth, absent) {
  if (absent.has("](")) return null;
  const close = closingBracket(text, at);
  if (close === -1 || text[close + 1] !== "(") {
    if (text.indexOf("](", at) === -1) absent.add("](");
    return null;
  }
  const target = /^\(\s*<?([^\s<>]*?)>?(?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s*\)/.exec(text.slice(close + 1, close + 2_100));
  if (!target) return null;
  const label = text.slice(at + 1, close);
  const href = safeHref(target[1]);
  const next = close + 1 + target[0].length;
  // A link we do not follow stays as it was written, so that nobody wonders where it has gone.
  if (!href) return { node: { type: "text", text: text.slice(at, next) }, next };
  const inner = parseInline(label, depth + 1).map((node) => (node.type === "link" ? { type: "text", text: node.href } : node));
  return { node: link(href, inner.length ? inner : [{ type: "text", text: href }]), next };
}

/** The bracket that closes the one at `at`, within reach. */
function closingBracket(text, at) {
  let open = 0;
  const end = Math.min(text.length, at + 1_000);
  for (let index = at; index < end; index += 1) {
    if (text[index] === "\\") index += 1;
    else if (text[index] === "[") open += 1;
    else if (text[index] === "]" && (open -= 1) === 0) return index;
  }
  return -1;
}

function link(href, children) {
  return { type: "link", href, children };
}

function readEmphasis(text, at, depth, absent) {
  const character = text[at];
  const mark = text[at + 1] === character ? character + character : character;
  const type = EMPHASIS[mark];
  if (!type || absent.has(mark) || /\s|^$/.test(text[at + mark.length] ?? "")) return null;
  if (character === "_" && at > 0 && WORD.test(text[at - 1])) return null; // snake_case is no emphasis
  for (let end = text.indexOf(mark, at + mark.length); end !== -1; end = text.indexOf(mark, end + 1)) {
    const after = text[end + mark.length] ?? "";
    if (end === at + mark.length || /\s/.test(text[end - 1]) || text[end - 1] === "\\") continue;
    if (mark.length === 1 && (after === character || text[end - 1] === character)) continue;
    if (character === "_" && WORD.test(after)) continue;
    const inner = text.slice(at + mark.length, end);
    return { node: { type, children: parseInline(inner, depth + 1) }, next: end + mark.length };
  }
  absent.add(mark);
  return null;
}
