/* Keeps the front page of the admin up to date: fetches its moving part again every few seconds, unless the page is hidden, paused, or
   in use. Without this module the page shows its state when loaded. */

const EVERY_MS = 5000;
const SLOWEST_MS = 60000;
const GIVE_UP_MS = 15000; // one fetch

const live = document.querySelector("[data-netra-live]");
const status = document.querySelector("[data-netra-status]");
const button = document.querySelector("[data-netra-pause]");

let timer = 0;
let wait = EVERY_MS;
let paused = false;
let running = false;

/* The values of each tile since the page was opened, for its curve. */
const TREND_MOST = 120; // ten minutes
const trends = new Map();

/** Store the tiles' numbers and draw their curves. */
function draw() {
  for (const tile of live.querySelectorAll("[data-netra-trend]")) {
    const name = tile.dataset.netraName || tile.querySelector("dt").textContent;
    const values = trends.get(name) || [];
    trends.set(name, values);
    values.push(Number(tile.dataset.netraTrend));
    if (values.length > TREND_MOST) values.shift();
    if (values.length > 1) tile.append(curve(values));
  }
}

/** A curve over the whole width of its tile: the numbers are its text, so it is decorative. */
function curve(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS(svg.namespaceURI, "polyline");
  const most = Math.max(...values) || 1;
  const step = 100 / (values.length - 1);
  line.setAttribute("points", values.map((value, n) => `${(n * step).toFixed(1)},${(19 - (18 * value) / most).toFixed(1)}`).join(" "));
  svg.setAttribute("class", "netra-trend");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

/** The links of the moving part that lead to the same place. */
function alike(href) {
  return [...live.querySelectorAll("a")].filter((link) => link.getAttribute("href") === href);
}

/** Replace the moving part, and give the focus back to the link that had it. */
function show(html) {
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const href = focused && focused.getAttribute("href");
  const place = focused ? alike(href).indexOf(focused) : -1;
  live.innerHTML = html;
  draw();
  if (place >= 0) alike(href)[place]?.focus({ preventScroll: true });
}

async function refresh() {
  clearTimeout(timer);
  if (running || paused || document.hidden) return;
  running = true;
  try {
    const response = await fetch(live.dataset.netraLive, {
      credentials: "same-origin",
      redirect: "manual", // a redirect means the log-in page
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
    if (response.type === "opaqueredirect" || response.status === 403) {
      stop("You are logged out. Reload the page to log in again.");
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const html = await response.text();
    if (!paused) {
      show(html);
      say(`Updated every ${EVERY_MS / 1000} seconds.`);
    }
    wait = EVERY_MS;
  } catch {
    wait = Math.min(wait * 2, SLOWEST_MS);
    say(`The server does not answer; these numbers are out of date. Next attempt in ${Math.round(wait / 1000)} s.`);
  } finally {
    running = false;
    if (!paused) timer = setTimeout(refresh, wait);
  }
}

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function stop(text) {
  paused = true;
  button.hidden = true;
  say(text);
}

if (live && status && button) {
  draw();
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    say(paused ? "Paused." : "Updating …");
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  status.textContent = `Updated every ${EVERY_MS / 1000} seconds.`;
  timer = setTimeout(refresh, EVERY_MS);
}
