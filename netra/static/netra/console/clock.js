/**
 * The server's time, as well as this page can know it, and one slow beat for everything that shows time passing.
 * Durations of what still runs are measured against event timestamps, which a reader's wrong clock must not distort.
 */

let offset = Infinity; // how far this machine's clock is ahead, at most: arrival minus timestamp includes the way here

/** Learn from a live event. Replayed ones are old by nature and say nothing. */
export function observe(timestamp) {
  offset = Math.min(offset, Date.now() - Date.parse(timestamp));
}

export function serverNow() {
  return Date.now() - (offset === Infinity ? 0 : offset);
}

const CALM = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");

/** Call `beat` four times a second, once for those who want less motion, and not at all while nobody looks. */
export function everyBeat(beat) {
  const loop = () => {
    if (!document.hidden) beat();
    setTimeout(loop, CALM?.matches ? 1_000 : 250);
  };
  loop();
}
