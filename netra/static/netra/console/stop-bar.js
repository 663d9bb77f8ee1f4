/** Escape asks whether to stop; only a second, different key does. */

export class StopBar {
  constructor(element, stop) {
    this.element = element;
    this.stop = stop;
    this.run = null;
    element.querySelector(".confirm").addEventListener("click", () => this.#confirm());
    element.querySelector(".dismiss").addEventListener("click", () => this.hide());
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.hide();
      } else if (event.key === "Enter" && event.repeat) {
        event.preventDefault(); // a key that is still held down from before is no answer
      }
    });
  }

  ask(run) {
    this.run = run;
    this.before = document.activeElement;
    this.element.hidden = false;
    this.element.querySelector(".confirm").focus();
  }

  /** Also when the run has ended by itself. */
  hide() {
    if (this.element.hidden) return;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.run = null;
    if (hadFocus) this.before?.focus?.();
  }

  #confirm() {
    const { run } = this;
    this.hide();
    this.stop(run);
  }
}
