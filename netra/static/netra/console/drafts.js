/** The memory of a tab: in the browser's storage if possible, else in this page's memory. */

const memory = new Map();

export function recall(key) {
	if (memory.has(key)) return memory.get(key);
	try {
		return sessionStorage.getItem(key);
	} catch {
		return null; // storage is disabled
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
		memory.set(key, text); // full, or disabled
		return false;
	}
}

export function forgetAll() {
	memory.clear();
	try {
		sessionStorage.clear();
	} catch {
		// Disabled: there is nothing to clear.
	}
}
