/** Making elements. Text only ever becomes text: nothing in the console parses a string as HTML. */

const SVG = "http://www.w3.org/2000/svg";
const icons = document.documentElement.dataset.icons;

/**
 * h("button", { class: "quiet", onclick: stop, "aria-label": "Stop" }, icon("stop"), "Stop")
 * `false`, `null` and `undefined` children and properties are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${icons}#${name}`);
  svg.append(use);
  return svg;
}

/** Change text only when it differs: writing the same again would move selections and wake screen readers. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain-http pages have no clipboard; the old way still works there.
    const area = h("textarea", { class: "off-screen", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** A button that copies, and says that it did. `text` may be a function, called when it is pressed. */
export function copyButton(text, label = "Copy") {
  const words = h("span", {}, label);
  const button = h("button", { type: "button", class: "copy" }, icon("copy"), words);
  let timer = null;
  button.addEventListener("click", async () => {
    await copy(typeof text === "function" ? text() : text);
    setText(words, "Copied");
    clearTimeout(timer);
    timer = setTimeout(() => setText(words, label), 1_600);
  });
  return button;
}
