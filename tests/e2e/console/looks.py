"""Looking at a state of the page: pictures of it in every shape it has to look right in, and what can be measured."""

import os
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

FOLDER = Path(__file__).parents[3] / "test-results" / "console"

DESKTOP: ViewportSize = {"width": 1400, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 780}
# A laptop's window at 200 % zoom has half the pixels.
ZOOMED: ViewportSize = {"width": 640, "height": 400}
SHAPES = {
    "light": (DESKTOP, False),
    "dark": (DESKTOP, True),
    "phone": (PHONE, False),
    "phone-dark": (PHONE, True),
    "zoomed": (ZOOMED, False),
}

# Contrast of every text on the page with what is behind it, after WCAG 2.2; returns those that are too weak.
WEAK_TEXT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) continue;
    if (element.closest("script, .off-screen, .skip, :disabled, option")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(rgba(style.color)), luminance(background(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return weak;
}"""

# Elements of the page's width that stick out of it, and with them a scroll bar nobody wants.
WIDER_THAN_PAGE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

# A frame has been drawn with what has changed.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def look(page: Page, name: str, *shapes: str) -> None:
    """Look at a state light and dark, wide, on a phone and enlarged: nothing is too faint or wider than the page.

    Pictures of it, light and on a phone, are written to `test-results/console`; with `CONSOLE_SCREENSHOTS`, a folder,
    they are written there, in every shape.
    """
    chosen = os.environ.get("CONSOLE_SCREENSHOTS")
    folder = Path(chosen or FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for shape in shapes or SHAPES:
        size, dark = SHAPES[shape]
        page.set_viewport_size(size)
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.evaluate(DRAWN)
        assert page.evaluate(WEAK_TEXT) == [], f"{name} {shape}: contrast"
        assert page.evaluate(WIDER_THAN_PAGE) == 0, f"{name} {shape}: wider than the page"
        if chosen or shape in ("light", "phone"):
            picture = page.screenshot(path=folder / f"{name}-{shape}.png", animations="disabled", caret="hide")
            assert len(picture) > 5_000, "an empty page"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before or DESKTOP)
    page.evaluate(DRAWN)
