/// Addresses on the screen. A click goes to the program, too, so it follows one only where a key says that this is meant.

import { line } from "../look/text";

/// Characters of an address that are shown.
const MOST_SHOWN = 300;

type Click = Pick<MouseEvent, "ctrlKey" | "metaKey">;

/// Whether a click is to follow a link: with Cmd on machines of Apple, where Ctrl and a click ask for a menu; with Ctrl elsewhere.
export const isMeant = ({ ctrlKey, metaKey }: Click, mac: boolean) => (mac ? metaKey : ctrlKey);

/// The address as it can be opened; null where it is none of the web.
export function ofWeb(address: string): string | null {
  if (!URL.canParse(address)) return null;
  const { protocol, href } = new URL(address);
  return protocol === "http:" || protocol === "https:" ? href : null;
}

/// Where a link leads, and how it is followed. The text of a link may say something else.
export function target(address: string, key: string): string {
  const href = line(ofWeb(address) ?? address);
  const shown = href.length > MOST_SHOWN ? `${href.slice(0, MOST_SHOWN)}…` : href;
  return `${shown} (${key} and a click follow it)`;
}

/// Opens an address in a page of its own, which learns nothing of this one.
export function follow(address: string): void {
  const href = ofWeb(address);
  if (href !== null) window.open(href, "_blank", "noopener,noreferrer");
}
