/** Text of an agent, of a model, of somebody else, so that it cannot look like what it is not. */

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

/** Shows by name what would deceive the eye. */
export const undeceive = (text) => text.replace(DECEPTIVE, escaped);

/** For what somebody is about to decide: also blanks that push something out of sight are shown as what they are. */
export function revealed(text) {
	return undeceive(text)
		.replace(/(?<=\S)[ \t]{4,}/g, ({ length }) => ` ⟨${length} blanks⟩ `)
		.replace(/(?:\s*\n){4,}/g, (found) => `\n⟨${found.split("\n").length - 1} empty lines⟩\n`);
}
