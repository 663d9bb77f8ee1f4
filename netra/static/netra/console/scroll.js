/** Keeps a reader at the end there while it grows, and leaves one who reads elsewhere alone. */

const AT_END = 1; // pixels: positions are rounded
const NEAR_END = 48; // there the button that leads to the end is of no use

export class Scroll {
	following = false;
	#top = 0; // as it was seen last: what is above it now was moved by the reader
	#height = 0;

	constructor(box, content, toEnd) {
		Object.assign(this, { box, content, toEnd });
		box.onscroll = () => {
			this.#notice();
			this.#remember();
		};
		// A thought that opens or a window that narrows must not leave the end behind either.
		new ResizeObserver(() => this.settle()).observe(content);
	}

	settle() {
		this.#notice();
		const { scrollHeight } = this.box;
		// Without new content the page does not move by itself, whatever is drawn anew.
		if (this.following && (scrollHeight !== this.#height || this.#left > AT_END)) this.box.scrollTop = scrollHeight;
		this.#remember();
	}

	show(element, block) {
		element.scrollIntoView({ block });
		this.following = this.#hasContent && this.#left <= AT_END;
		this.#remember();
	}

	/** Let `change` add something above without moving what is being read. */
	hold(change) {
		const { scrollHeight, scrollTop } = this.box;
		change();
		this.box.scrollTop = scrollTop + this.box.scrollHeight - scrollHeight;
		this.#remember();
	}

	/** The way tells what the reader wants, not the place alone: one step up is as good as many. */
	#notice() {
		const { scrollTop, scrollHeight } = this.box;
		if (!this.#hasContent) return;
		const isUp = scrollTop < this.#top && scrollHeight >= this.#height; // else content that shrank has moved it
		if (this.#left <= AT_END && scrollTop !== this.#top) this.following = true;
		else if (isUp) this.following = false;
	}

	#remember() {
		[this.#top, this.#height] = [this.box.scrollTop, this.box.scrollHeight];
		// While steps fold above, the browser would move the page up to keep in place what is seen: nobody's wish at the end.
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
