/** What a tab remembers: in the browser's storage while that takes it, in this page's memory where it does not. */

const memory = new Map();

export function recall(key) {
	if (memory.has(key)) return memory.get(key);
	try {
		return sessionStorage.getItem(key);
	} catch {
		return null; // storage that is switched off
	}
}

/** Returns whether it survives a reload. */
export function remember(key, text) {
	try {
		if (text) sessionStorage.setItem(key, text);
		else sessionStorage.removeItem(key);
		memory.delete(key);
		return true;
	} catch {
		memory.set(key, text); // full, or switched off
		return false;
	}
}

export function forgetAll() {
	memory.clear();
	try {
		sessionStorage.clear();
	} catch {
		// Switched off: there is nothing to clear.
	}
}
