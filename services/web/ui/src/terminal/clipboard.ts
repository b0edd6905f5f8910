/// What is copied from the screen, and by which keys.

/// Number of the sequence by which programs copy (xterm, "Operating System Commands").
export const OSC_CLIPBOARD = 52;
/// Characters of Base64 that a program may copy.
const MOST = 131_072;

/// The text that a program copies; null where it asks for what is in the clipboard, which it never gets.
export function copied(data: string): string | null {
  const [, encoded] = data.split(";", 2);
  if (encoded === undefined || encoded === "?" || encoded.length > MOST) return null;
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

type Key = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "shiftKey" | "altKey" | "metaKey">;

/// Ctrl+Shift+C copies. So do Ctrl+Insert and Ctrl+C where something is selected; where nothing is, they are the program's.
export function isCopy(key: Key, hasSelection: boolean): boolean {
  if (!key.ctrlKey || key.altKey || key.metaKey) return false;
  if (key.code === "KeyC") return key.shiftKey || hasSelection;
  return key.key === "Insert" && !key.shiftKey && hasSelection;
}

/// Ctrl+Shift+V and Shift+Insert.
export function isPaste(key: Key): boolean {
  if (key.altKey || key.metaKey || !key.shiftKey) return false;
  return key.ctrlKey ? key.code === "KeyV" : key.key === "Insert";
}
