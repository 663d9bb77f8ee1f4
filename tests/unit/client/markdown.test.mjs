import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { safeHref } from "../../../netra/static/netra/console/inline.js";
import { markdown } from "../../../netra/static/netra/console/markdown.js";

/** Elements as `tag[children]`, text as it is; without the bars above listings. */
function bare(node) {
  if (Array.isArray(node)) return node.map(bare).join("");
  if (node === null || node === undefined || node === false) return "";
  if (typeof node !== "object") return String(node);
  if (node.tag === "figcaption") return "";
  const { href, start } = node.properties;
  return `${node.tag}${href ? ` ${href}` : ""}${start ? ` ${start}` : ""}[${bare(node.children)}]`;
}

const show = (source) => bare(markdown(source).children);
const inline = (source) => show(source).replace(/^p\[(.*)\]$/s, "$1");

/** All text in elements, and all their addresses. */
function collect(node, found = []) {
  if (Array.isArray(node)) node.forEach((one) => collect(one, found));
  else if (typeof node === "string") found.push(node);
  else if (node?.tag) {
    if (node.properties.href?.[0] !== "#") found.push(node.properties.href ?? "");
    collect(node.children, found);
  }
  return found;
}

const addresses = (source) => [...show(source).matchAll(/a (\S+?)\[/g)].map(([, href]) => href);

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
--
#notitle
~~~
open fence`;

describe("blocks", () => {
  for (const [name, source, shown] of [
    ["headings, paragraphs and line breaks", "## Two ##\none\ntwo", "h5[Two]p[onebr[]two]"],
    ["a listing keeps every character", "```js\n  a < b && **c**\n\n# d\n```", "figure.code[pre[code[  a < b && **c**\n\n# d]]]"],
    ["a listing that is not closed yet is one already", "~~~\nx", "figure.code[pre[code[x]]]"],
    ["lists nest and number", "3. a\n   - b\n4. c", "ol 3[li[aul[li[b]]]li[c]]"],
    ["a paragraph of an item goes on without indentation", "- a\nb\n\nc", "ul[li[abr[]b]]p[c]"],
    ["tables align, and short rows are filled", "a | b\n--- | --:\n1 | 2 | 3\n4 |",
      "div.table[table[thead[tr[th[a]th.right[b]]]tbody[tr[td[1]td.right[2]]tr[td[4]td.right[]]]]]"],
    ["a bar in a cell", "|a|b|\n|-|-|\n|`x\\|y`|2|", "div.table[table[thead[tr[th[a]th[b]]]tbody[tr[td[code[x|y]]td[2]]]]]"],
    ["quotes contain blocks", "> # a\n> b", "blockquote[h4[a]p[b]]"],
    ["rules are no lists", "---\n- a", "hr[]ul[li[a]]"],
  ]) {
    test(name, () => assert.equal(show(source), shown));
  }
});

describe("inline", () => {
  test("emphasis of all kinds", () => {
    assert.equal(inline("**a _b_** ~~c~~ __d *e*__"), "strong[a em[b]] del[c] strong[d em[e]]");
  });

  for (const plain of ["snake_case_name", "2 * 3 * 4", "a ** b", "a *", "**open", "_", "~ ~~", "a__b__c"]) {
    test(`${plain} is plain`, () => assert.equal(inline(plain), plain));
  }

  test("a backslash takes the meaning away", () => assert.equal(inline("\\*a\\* \\`b\\` c\\d"), "*a* `b` c\\d"));

  test("code is not looked into", () => assert.equal(inline("`**a** <b>` ``x`y``"), "code[**a** <b>] code[x`y]"));

  test("addresses become links, without the punctuation after them", () => {
    assert.deepEqual(addresses("See https://example.org/a_b. (http://x.example) <mailto:a@b.example> https://x.example/a_(b)."), [
      "https://example.org/a_b", "http://x.example/", "mailto:a@b.example", "https://x.example/a_(b)",
    ]);
  });

  test("links have labels, which hold no links", () => {
    assert.equal(inline('[a **b** https://x.example](https://example.org/ "title")'),
      "a https://example.org/[a strong[b] https://x.example]");
  });

  test("an image becomes a link: nothing is fetched", () => {
    assert.equal(inline("![pixel](https://example.org/p.png)"), "a https://example.org/p.png[pixel]");
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
        assert.deepEqual(addresses(source), [], source);
      }
    });
  }

  test("HTML is text, whole", () => {
    const source = "<script>alert(1)</script> <b onclick=x>y</b> &amp; <!-- z -->";
    assert.equal(inline(source), source);
  });

  test("only tags of our own are made, and no property but the known ones", () => {
    const made = new Set();
    const visit = (node) => {
      if (Array.isArray(node)) node.forEach(visit);
      else if (node?.tag) {
        for (const name of Object.keys(node.properties)) made.add(name);
        visit(node.children);
      }
    };
    visit(markdown(`${DOCUMENT}\n[x](https://example.org/?a="onmouseover="x "t\" onclick=1")`));
    assert.deepEqual([...made].sort(), ["aria-hidden", "dir", "href", "onclick", "rel", "start", "tabindex", "target", "title"]);
  });

  test("no text is lost, whatever is in it", () => {
    const words = (value) => value.match(/[a-z0-9]+/gi) ?? [];
    const shown = collect(markdown(DOCUMENT)).join(" ");
    for (const word of words(DOCUMENT.replace('"title"', ""))) assert.ok(shown.includes(word), word);
  });

  const evil = {
    asterisks: "*".repeat(40_000), openers: "**a ".repeat(15_000), crossing: "*a _b ".repeat(8_000),
    brackets: "[".repeat(40_000), links: "[a](".repeat(10_000), images: "![".repeat(20_000),
    backticks: "`a``b".repeat(8_000), quotes: "> ".repeat(20_000), lists: "- ".repeat(20_000), items: "- a\n".repeat(15_000),
    pipes: `${"a|".repeat(15_000)}\n${"-|".repeat(15_000)}`, addresses: "https://".repeat(8_000), angles: "<".repeat(40_000),
    parentheses: "[a](((((((((".repeat(4_000), unclosed: `https://a${"(a".repeat(20_000)}`, nested: "*a **b ".repeat(5_000) + "c** d* ".repeat(5_000),
    spaces: `${" ".repeat(40_000)}x`, hashes: `# ${" #".repeat(20_000)}x`, escapes: "\\".repeat(40_000),
  };
  for (const [name, source] of Object.entries(evil)) {
    test(`${name} take no time worth telling`, () => {
      const began = performance.now();
      markdown(source);
      // Milliseconds, in truth; quadratic work would take minutes.
      assert.ok(performance.now() - began < 3_000);
    });
  }
});

describe("a text that grows", () => {
  test("is at each moment what it would be at once, and settled blocks stay the same elements", () => {
    for (const step of [1, 3, 7]) {
      const memo = { at: 0, blocks: [] };
      let kept = [];
      for (let length = step; length < DOCUMENT.length + step; length += step) {
        const text = DOCUMENT.slice(0, length);
        assert.equal(bare(markdown(text, memo).children), show(text), `cut at ${length}`);
        assert.deepEqual(memo.blocks.slice(0, kept.length).map((block, at) => block === kept[at]), kept.map(() => true));
        kept = memo.blocks;
      }
      assert.ok(kept.length > 5);
    }
  });
});
