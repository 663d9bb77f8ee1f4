/** The input for requests, and their delivery state. */

import { recall, remember } from "./drafts.js";

const NOT_KEPT = "This browser cannot store your draft: it will be lost when you reload the page.";

export class Composer {
	#threadId;

	/** `ui.send(agent, input)` fails with the reason as its message. */
	constructor(form, ui) {
		[this.text, this.agent, this.hint, this.problem, this.json] = ["textarea", "select", ".agent-hint", ".problem", "[type=checkbox]"]
			.map((selector) => form.querySelector(selector));
		this.draftOf = (threadId) => `netra:${ui.boot.user.id}:draft:${threadId ?? "new"}`;
		this.ui = ui;
		this.choose(recall("netra:agent"));
		form.onsubmit = (event) => {
			event.preventDefault();
			this.#submit();
		};
		this.text.onkeydown = ({ key, ctrlKey, metaKey, isComposing }) => {
			if (key === "Enter" && (ctrlKey || metaKey) && !isComposing) this.#submit();
		};
		this.text.oninput = () => this.#set(this.text.value);
		this.agent.onchange = () => this.choose(this.agent.value);
	}

	choose(name) {
		const { options, selectedOptions } = this.agent;
		const option = [...options].find(({ value }) => value === name) ?? selectedOptions[0];
		if (!option) return;
		option.selected = true;
		this.hint.textContent = option.title;
		this.text.placeholder = option.dataset.hint || "What should it do?";
		remember("netra:agent", option.value);
	}

	/** Typed text stays, even from before this module loaded. `null`: a new thread. */
	open(threadId) {
		if (this.#threadId === threadId) return;
		const early = this.#threadId === undefined && this.text.value;
		this.#threadId = threadId;
		this.tell("");
		this.#set(early || (recall(this.draftOf(threadId)) ?? ""));
	}

	tell(problem) {
		this.problem.hidden = !problem;
		this.problem.textContent = problem;
	}

	#set(text) {
		if (this.text.value !== text) this.text.value = text;
		if (!remember(this.draftOf(this.#threadId), text)) this.tell(NOT_KEPT);
		else if (this.problem.textContent === NOT_KEPT) this.tell("");
		this.json.parentElement.hidden = !parseObject(text);
		this.json.checked &&= Boolean(parseObject(text));
	}

	async #submit() {
		const text = this.text.value;
		const threadId = this.#threadId;
		if (!text.trim() || !this.agent.value) {
			this.tell(this.agent.value ? "Write something first." : "There is no agent to ask yet.");
			return this.text.focus();
		}
		const input = this.json.checked ? parseObject(text) : { message: text };
		this.#set("");
		this.tell("");
		try {
			await this.ui.send(this.agent.value, input);
		} catch (error) {
			// Restores the text in its thread, unless there is a new draft.
			if (!recall(this.draftOf(threadId))) remember(this.draftOf(threadId), text);
			if (this.#threadId === threadId && !this.text.value) this.#set(text);
			this.tell(error.message);
		}
	}
}

function parseObject(text) {
	try {
		return /^\s*\{/.test(text) ? JSON.parse(text) : null;
	} catch {
		return null;
	}
}
