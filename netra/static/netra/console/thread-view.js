/** Draws a thread. Loaded when the first is opened, so that the page itself loads faster. */

export { detail } from "./detail.js";
export { runCard } from "./run-card.js";
