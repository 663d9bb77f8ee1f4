/** What the reader is told about the connection: a quiet line, or, when the session is over, the way back in. */

import { h, icon, setText } from "./dom.js";
import { connectionText, loggedOutText } from "./words.js";

const SESSION_OVER = new Set(["unauthenticated", "token_expired", "session_revoked", "other_user"]);

export class ConnectionLine {
  constructor(element, wake) {
    this.element = element;
    this.words = h("span");
    this.again = h("button", { type: "button", class: "link", onclick: wake }, "Try now");
    element.append(h("span", { class: "dot", "aria-hidden": "true" }), this.words, this.again);
    this.status = { state: "idle" };
    this.wasOpen = false;
  }

  update(status) {
    // A server that said it restarts is still restarting when the first attempts to come back fail without a word.
    const isRestarting = this.status.code === "draining" && status.state !== "open" && [null, "unreachable"].includes(status.code);
    this.status = isRestarting ? { ...status, code: "draining" } : status;
    if (status.state === "open") this.wasOpen = true;
    this.tick();
  }

  tick() {
    const text = this.status.state === "idle" ? "Connecting…" : connectionText(this.status, Date.now(), this.wasOpen);
    // The line keeps its place when it is empty: nothing jumps when the connection goes or comes.
    this.element.classList.toggle("idle", text === null);
    setText(this.words, text ?? "");
    this.again.hidden = this.status.state !== "waiting";
  }
}

export function isSessionOver(status) {
  return status.state === "stopped" && (status.closeCode === 4401 || SESSION_OVER.has(status.code));
}

/** Takes the place of everything: what was on the page belongs to somebody who is not logged in any more. */
export function sessionOverPanel(code, loginUrl) {
  const next = encodeURIComponent(`${location.pathname}${location.hash}`);
  return h("main", { class: "session-over", role: "alert" },
    h("p", { class: "mark" }, icon("netra")),
    h("h1", {}, "You are logged out"),
    h("p", {}, loggedOutText(code)),
    h("p", { class: "quiet" }, "Runs that were going on go on. You find them here when you are back."),
    h("p", {}, h("a", { class: "button primary", href: `${loginUrl}?next=${next}` }, "Log in")));
}
