/** Follows growing content while the reader is at the end; otherwise does not scroll. */

const AT_END = 1; // pixels: positions are rounded
const NEAR_END = 48; // there the button to the end is hidden

export class Scroll {
	following = false;
	#top = 0; // last known position: the reader scrolls up from it
	#height = 0;

	constructor(box, content, toEnd) {
		Object.assign(this, { box, content, toEnd });
		box.onscroll = () => {
			this.#notice();
			this.#remember();
		};
		// Also follows the end when a thought opens or the window narrows.
		new ResizeObserver(() => this.settle()).observe(content);
	}

	settle() {
		this.#notice();
		const { scrollHeight } = this.box;
		// Without new content a redraw does not scroll the page.
		if (this.following && (scrollHeight !== this.#height || this.#left > AT_END)) this.box.scrollTop = scrollHeight;
		this.#remember();
	}

	show(element, block) {
		element.scrollIntoView({ block });
		this.following = this.#hasContent && this.#left <= AT_END;
		this.#remember();
	}

	/** Let `change` add content above without moving the visible text. */
	hold(change) {
		const { scrollHeight, scrollTop } = this.box;
		change();
		this.box.scrollTop = scrollTop + this.box.scrollHeight - scrollHeight;
		this.#remember();
	}

	/** The direction counts, not only the position: one step up ends following. */
	#notice() {
		const { scrollTop, scrollHeight } = this.box;
		if (!this.#hasContent) return;
		const isUp = scrollTop < this.#top && scrollHeight >= this.#height; // else shrinking content moved it
		if (this.#left <= AT_END && scrollTop !== this.#top) this.following = true;
		else if (isUp) this.following = false;
	}

	#remember() {
		[this.#top, this.#height] = [this.box.scrollTop, this.box.scrollHeight];
		// While steps fold above, scroll anchoring would move the page up from its end.
		this.box.style.overflowAnchor = this.following ? "none" : "";
		this.toEnd.hidden = this.following || this.#left < NEAR_END || !this.#hasContent;
	}

	get #hasContent() {
		return Boolean(this.content.firstChild);
	}

	get #left() {
		const { scrollHeight, scrollTop, clientHeight } = this.box;
		return scrollHeight - scrollTop - clientHeight;
	}
}
