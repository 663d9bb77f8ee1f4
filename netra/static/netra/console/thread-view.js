/** What draws a thread. Loaded with the first one that is opened, so that the page itself is there sooner. */

export { detail } from "./detail.js";
export { runCard } from "./run-card.js";
