/// What keys are called on the machine of whoever looks at the page.

export interface Names {
  /// Held while the mouse selects, since without it the mouse is the program's (xterm.js decides which).
  select: string;
  /// Held while a click follows a link.
  follow: string;
  paste: string;
}

/// As xterm.js tells it.
export const isMac = () => /^Mac/.test(navigator.platform);

export const names = (mac: boolean): Names =>
  mac
    ? { select: "Option", follow: "Cmd", paste: "Cmd+V" }
    : { select: "Shift", follow: "Ctrl", paste: "Ctrl+Shift+V" };
