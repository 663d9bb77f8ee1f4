/** Where the reader asks: text, agent, send; and where they are told what became of it. */

import { h, setText } from "./dom.js";

const MAX_ROWS_PX = 320;

export class Composer {
  /** `send(text, agent, asJson)` may throw a NetraError with words for the reader in `.shown`. */
  constructor(form, { agents, user, send }) {
    this.form = form;
    this.agents = agents;
    this.send = send;
    this.text = form.querySelector("textarea");
    this.agent = form.querySelector("select");
    this.hint = form.querySelector(".agent-hint");
    this.problem = form.querySelector(".problem");
    this.asJson = form.querySelector(".as-json");
    this.jsonBox = this.asJson.querySelector("input");
    this.draftOf = (threadId) => `netra:${user.id}:draft:${threadId ?? "new"}`;
    this.threadId = null;
    this.#fillAgents();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.text.addEventListener("input", () => this.#changed());
    this.agent.addEventListener("change", () => this.#agentChanged());
  }

  setAgents(agents) {
    this.agents = agents;
    this.#fillAgents();
  }

  choose(name) {
    if (!this.agents.some((agent) => agent.name === name)) return;
    this.agent.value = name;
    this.#agentChanged();
  }

  /** Show the draft of this thread (null: of a new one). A reload loses nothing that was typed. */
  open(threadId) {
    if (this.threadId === threadId && this.opened) return;
    this.opened = true;
    this.threadId = threadId;
    this.text.value = sessionStorage.getItem(this.draftOf(threadId)) ?? "";
    this.tell(null);
    this.#changed();
  }

  tell(problem) {
    this.problem.hidden = !problem;
    setText(this.problem, problem ?? "");
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  #fillAgents() {
    const chosen = this.agent.value || sessionStorage.getItem("netra:agent");
    this.agent.replaceChildren(...this.agents.map(({ name, label }) => h("option", { value: name }, label ?? name)));
    if (this.agents.some((agent) => agent.name === chosen)) this.agent.value = chosen;
    this.#agentChanged();
  }

  #agentChanged() {
    const agent = this.agents.find(({ name }) => name === this.agent.value);
    setText(this.hint, agent?.description ?? "");
    this.text.placeholder = agent?.hint || "What should it do?";
    if (agent) sessionStorage.setItem("netra:agent", agent.name);
  }

  #changed() {
    const { text } = this;
    text.style.height = "auto";
    text.style.height = `${Math.min(MAX_ROWS_PX, text.scrollHeight + 2)}px`;
    const key = this.draftOf(this.threadId);
    if (text.value) sessionStorage.setItem(key, text.value);
    else sessionStorage.removeItem(key);
    const couldBeJson = parseObject(text.value) !== null;
    if (!couldBeJson) this.jsonBox.checked = false;
    this.asJson.hidden = !couldBeJson;
  }

  async #submit() {
    const value = this.text.value;
    if (!value.trim() || !this.agent.value) return this.focus();
    const { threadId } = this;
    const input = this.jsonBox.checked ? parseObject(value) : { message: value };
    this.#set("");
    this.tell(null);
    try {
      await this.send(this.agent.value, input);
    } catch (error) {
      // What was typed comes back, to the thread it was meant for, unless something else was begun there meanwhile.
      const current = this.threadId === threadId || threadId === null;
      if (current && !this.text.value) this.#set(value);
      else if (!sessionStorage.getItem(this.draftOf(threadId))) sessionStorage.setItem(this.draftOf(threadId), value);
      this.tell(error.shown ?? error.message);
    }
  }

  #set(value) {
    this.text.value = value;
    this.#changed();
  }
}

function parseObject(text) {
  if (!/^\s*\{/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
