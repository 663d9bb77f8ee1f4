import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { parseMarkdown, safeHref, settledBlocks } from "../../../netra/static/netra/console/markdown.js";

/** The tree without positions, which is what most tests are about. */
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "line").map(([key, item]) => [key, bare(item)]));
}

const text = (value) => ({ type: "text", text: value });
const paragraph = (...inline) => ({ type: "paragraph", inline });
const parse = (source) => bare(parseMarkdown(source));
const inline = (source) => parse(source)[0].inline;

/** All text of a tree, and all addresses in it. */
function collect(value, key, found = []) {
  if (Array.isArray(value)) value.forEach((item) => collect(item, key, found));
  else if (value && typeof value === "object") {
    if (typeof value[key] === "string") found.push(value[key]);
    Object.values(value).forEach((item) => collect(item, key, found));
  }
  return found;
}

const DOCUMENT = `# Title with *emphasis*

A paragraph with **bold *and* italic**, \`code\`, ~~gone~~ and [a link](https://example.org/a_b_c "title").
Second line of it.

- one
  - nested
    more of nested
- [x] done
- [ ] open

  a second paragraph of the last item

3. three
4. four

> quoted
> - list in quote

| a | b | c |
|:--|:-:|--:|
| 1 | \`x\\|y\` | **3** |
| 4 |

\`\`\`python
def f():
    return "**not bold**"

- not a list
\`\`\`

---
- - deep
text https://example.org/path_(x). End
~~~
open fence`;

describe("blocks", () => {
  test("headings, paragraphs and line breaks", () => {
    assert.deepEqual(parse("## Two ##\none\ntwo"), [
      { type: "heading", level: 2, inline: [text("Two")] },
      paragraph(text("one"), { type: "break" }, text("two")),
    ]);
  });

  test("a listing keeps every character", () => {
    assert.deepEqual(parse("```js\n  a < b && **c**\n\n# d\n```"), [
      { type: "code", language: "js", text: "  a < b && **c**\n\n# d" },
    ]);
  });

  test("a listing that is not closed yet is one already", () => {
    assert.deepEqual(parse("~~~\nx"), [{ type: "code", language: "", text: "x" }]);
  });

  test("lists nest, number and tick", () => {
    const [list] = parse("3. a\n   - b\n4. [x] c");
    assert.equal(list.ordered, true);
    assert.equal(list.start, 3);
    assert.deepEqual(list.items[0].blocks[1].items[0].blocks, [paragraph(text("b"))]);
    assert.deepEqual(list.items.map((item) => item.checked), [null, true]);
  });

  test("tables align, and short rows are filled", () => {
    const [table] = parse("a | b\n--- | --:\n1 | 2 | 3\n4");
    assert.deepEqual(table, {
      type: "table",
      align: ["left", "right"],
      head: [[text("a")], [text("b")]],
      rows: [[[text("1")], [text("2")]]],
    });
  });

  test("quotes contain blocks", () => {
    assert.deepEqual(parse("> # a\n> b"), [
      { type: "quote", blocks: [{ type: "heading", level: 1, inline: [text("a")] }, paragraph(text("b"))] },
    ]);
  });
});

describe("inline", () => {
  test("emphasis of all kinds", () => {
    assert.deepEqual(inline("**a _b_** ~~c~~"), [
      { type: "strong", children: [text("a "), { type: "emphasis", children: [text("b")] }] },
      text(" "),
      { type: "deleted", children: [text("c")] },
    ]);
  });

  for (const plain of ["snake_case_name", "2 * 3 * 4", "a ** b", "a *", "**open", "_", "~ ~~"]) {
    test(`${plain} is plain`, () => assert.deepEqual(inline(plain), [text(plain)]));
  }

  test("a backslash takes the meaning away", () => {
    assert.deepEqual(inline("\\*a\\* \\`b\\` c\\d"), [text("*a* `b` c\\d")]);
  });

  test("code is not looked into", () => {
    assert.deepEqual(inline("`**a** <b>` ``x`y``"), [
      { type: "code", text: "**a** <b>" }, text(" "), { type: "code", text: "x`y" },
    ]);
  });

  test("addresses become links, without the punctuation after them", () => {
    assert.deepEqual(collect(parse("See https://example.org/a_b. (http://x.example) <mailto:a@b.example>"), "href"), [
      "https://example.org/a_b", "http://x.example/", "mailto:a@b.example",
    ]);
  });

  test("an image becomes a link: nothing is fetched", () => {
    assert.deepEqual(inline("![pixel](https://example.org/p.png)").at(-1), {
      type: "link", href: "https://example.org/p.png", children: [text("pixel")],
    });
  });
});

describe("what nobody vouches for", () => {
  for (const address of [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x",
    "vbscript:x", "file:///etc/passwd", "/accounts/logout/", "//example.org", "#x", "http://", "https://[", "",
  ]) {
    test(`${JSON.stringify(address)} is no address`, () => {
      assert.equal(safeHref(address), null);
      for (const source of [`[a](${address})`, `[a](<${address}>)`, `<${address}>`, `![a](${address})`]) {
        assert.deepEqual(collect(parse(source), "href"), [], source);
      }
    });
  }

  test("HTML is text, whole", () => {
    const source = "<script>alert(1)</script> <b onclick=x>y</b> &amp; <!-- z -->";
    assert.deepEqual(inline(source), [text(source)]);
  });

  test("no text is lost, whatever is in it", () => {
    const words = (value) => value.match(/[a-z0-9]+/gi) ?? [];
    const shown = collect(parseMarkdown(DOCUMENT), "text").concat(collect(parseMarkdown(DOCUMENT), "href")).join(" ");
    const written = words(DOCUMENT.replace(/\[x\]|"title"|```python/g, "").replace(/^\d\. /gm, ""));
    for (const word of written) assert.ok(shown.includes(word), word);
  });

  const evil = {
    asterisks: "*".repeat(40_000), openers: "**a ".repeat(15_000), crossing: "*a _b ".repeat(8_000),
    brackets: "[".repeat(40_000), links: "[a](".repeat(10_000), images: "![".repeat(20_000),
    backticks: "`a``b".repeat(8_000), quotes: "> ".repeat(20_000), lists: "- ".repeat(20_000), items: "- a\n".repeat(15_000),
    pipes: `${"a|".repeat(15_000)}\n${"-|".repeat(15_000)}`, addresses: "https://".repeat(8_000), angles: "<".repeat(40_000),
    spaces: `${" ".repeat(40_000)}x`, hashes: `# ${" #".repeat(20_000)}x`, escapes: "\\".repeat(40_000),
  };
  for (const [name, source] of Object.entries(evil)) {
    test(`${name} take no time worth telling`, () => {
      const began = performance.now();
      parseMarkdown(source);
      // Milliseconds, in truth; quadratic work would take minutes.
      assert.ok(performance.now() - began < 3_000);
    });
  }
});

describe("a text that grows", () => {
  test("what was settled never changes, wherever the text is cut", () => {
    // As the view does it: settled blocks are kept, the rest is parsed again with what is appended.
    for (const step of [1, 3, 7]) {
      let settled = 0;
      const kept = [];
      for (let length = step; length < DOCUMENT.length + step; length += step) {
        const tail = DOCUMENT.slice(settled, length);
        const blocks = parseMarkdown(tail);
        const count = settledBlocks(blocks, tail);
        kept.push(...bare(blocks.slice(0, count)));
        if (blocks.length) settled += tail.split("\n").slice(0, blocks[count].line).join("\n").length + (blocks[count].line ? 1 : 0);
        assert.deepEqual([...kept, ...bare(blocks.slice(count))], parse(DOCUMENT.slice(0, length)), `cut at ${length}`);
      }
    }
  });
});
