/** Makes deceptive characters visible in text of agents, models and other users. */

// What reorders, hides or imitates its surroundings: controls, formats, fillers, blanks that are no spaces. An emoji's own
// joiners and selectors may stay where they belong to it.
const DECEPTIVE = new RegExp([
	/(?!\n|\t)\p{Cc}/, /(?!\u200d|\ufe0f)[\p{Cf}\p{Default_Ignorable_Code_Point}]/, /(?! )\p{Z}/, /\u2800/, /\ufffc/,
	/(?<![\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d|\u200d(?!\p{Extended_Pictographic})/,
	/(?<![\p{Extended_Pictographic}0-9#*])\ufe0f/,
].map(({ source }) => source).join("|"), "gu");

const escaped = (found) => {
	const code = found.codePointAt(0).toString(16);
	return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
};

/** Names the deceptive characters. */
export const undeceive = (text) => text.replace(DECEPTIVE, escaped);

/** For approvals: also shows the blanks that could push something out of sight. */
export function revealed(text) {
	return undeceive(text)
		.replace(/(?<=\S)[ \t]{4,}/g, ({ length }) => ` ⟨${length} blanks⟩ `)
		.replace(/(?:\s*\n){4,}/g, (found) => `\n⟨${found.split("\n").length - 1} empty lines⟩\n`);
}
