/** Keeps a reader at the end there while it grows, and leaves one who reads elsewhere alone. */

export class Scroll {
	following = false;

	constructor(box, content, toEnd) {
		Object.assign(this, { box, content, toEnd });
		box.onscroll = () => {
			this.following = this.#look();
		};
		// A thought that opens or a window that narrows must not leave the end behind either.
		new ResizeObserver(() => this.settle()).observe(content);
	}

	settle() {
		if (this.following) this.box.scrollTop = this.box.scrollHeight;
		this.#look();
	}

	show(element, block) {
		element.scrollIntoView({ block });
		this.following = this.#look();
	}

	/** Let `change` add something above without moving what is being read. */
	hold(change) {
		const { scrollHeight, scrollTop } = this.box;
		change();
		this.box.scrollTop = scrollTop + this.box.scrollHeight - scrollHeight;
	}

	#look() {
		const { scrollHeight, scrollTop, clientHeight } = this.box;
		const isAtEnd = scrollHeight - scrollTop - clientHeight < 48;
		this.toEnd.hidden = isAtEnd || !this.content.firstChild;
		return isAtEnd && Boolean(this.content.firstChild);
	}
}
