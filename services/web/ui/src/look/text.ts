/// Text from outside. The page writes it as text, never as markup; here it also loses what would change the order of
/// what stands around it (Unicode Standard Annex 9, explicit formatting characters) and control characters.

const UNSHOWN = "\ufffd";
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/// The text over as many lines as it has.
export const plain = (text: string) => text.replace(/\r\n?/g, "\n").replace(HARMFUL, UNSHOWN);

/// The text as one line.
export const line = (text: string) => plain(text).replace(/[\n\t]+/g, " ");

/// A JSON document for people, as text.
export const pretty = (value: unknown) => plain(JSON.stringify(value, null, 2) ?? "");
