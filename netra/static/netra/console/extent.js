/** The visible part of a long list. */

export class Extent {
	from = 0;
	to = 0;
	count = 0;

	/** Of more than `most` only the last `tail` are shown, until `more` at a time are asked for. */
	constructor(most, tail, more) {
		Object.assign(this, { most, tail, more, cap: 4 * most }); // more elements are too slow
	}

	/** `following`: the reader is at the end, so items above may fold. */
	update(count, following) {
		const isNew = !this.count;
		if (this.to === this.count) this.to = count;
		this.count = count;
		if (this.to - this.from > this.most && (isNew || (following && this.to === count))) this.from = this.to - this.tail;
		this.to = Math.min(this.to, this.from + this.cap);
	}

	get earlier() {
		return Math.min(this.from, this.more);
	}

	get later() {
		return Math.min(this.count - this.to, this.more);
	}

	showEarlier() {
		this.most += this.more; // requested items do not fold again
		this.from -= this.earlier;
		this.to = Math.min(this.to, this.from + this.cap);
	}

	showLater() {
		this.to += this.later;
		this.from = Math.max(this.from, this.to - this.cap);
	}

	show(index) {
		if (index >= this.from && index < this.to) return;
		this.from = Math.max(0, index - this.more / 2);
		this.to = Math.min(this.count, index + this.more / 2);
	}

	showEnd() {
		if (this.to < this.count) this.from = Math.max(0, this.count - this.tail);
		this.to = this.count;
	}
}
