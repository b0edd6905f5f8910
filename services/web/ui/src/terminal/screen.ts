/// The screen: xterm.js, set up for this page.

import "@xterm/xterm/css/xterm.css";
import "./sheet";
import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { type ITheme, Terminal } from "@xterm/xterm";
import { token } from "../state/theme";
import { copied, isCopy, isPaste, OSC_CLIPBOARD } from "./clipboard";
import { follow, isMeant, target } from "./links";
import type { Glass } from "./output";
import { isMac, names } from "./platform";
import { type Size, within } from "./protocol";

/// What the screen tells.
export interface Hearer {
  input(data: string): void;
  /// Id of the text that says how to leave it.
  readonly help: string;
  /// Who looks at it wants to leave it.
  leave(): void;
  /// A text is to be put into the clipboard; by the program, or by whoever looks at it.
  copy(text: string, isProgram: boolean): void;
  /// Whether keys are for the session.
  isLive(): boolean;
}

export interface Screen extends Glass {
  readonly size: Size;
  /// Whether arrow keys are to be sent as applications ask for them (DECCKM).
  readonly hasApplicationArrows: boolean;
  /// Takes the size of its place. True where it has another one now.
  fit(): boolean;
  focus(): void;
  /// What stands on it can be read by assistive technology.
  read(isOn: boolean): void;
  /// Takes the colours of the page anew.
  paint(): void;
  close(): void;
}

const POINTS = 14;
const POINTS_NARROW = 12;
/// Least contrast of text (WCAG 2.2, AA; AAA where the system asks for more).
const contrast = () => (matchMedia("(prefers-contrast: more)").matches ? 7 : 4.5);

export function openScreen(place: HTMLElement, hearer: Hearer): Screen {
  const hints = {
    hover: (_: MouseEvent, address: string) => {
      place.title = target(address, names(isMac()).follow);
    },
    leave: () => place.removeAttribute("title"),
  };
  const terminal = new Terminal({
    // For the widths of characters.
    allowProposedApi: true,
    fontFamily: token("--mono"),
    fontSize: matchMedia("(max-width: 480px)").matches ? POINTS_NARROW : POINTS,
    // The program keeps the whole screen, and what it wrote before is nothing to go back to.
    scrollback: 0,
    minimumContrastRatio: contrast(),
    macOptionClickForcesSelection: true,
    linkHandler: { activate: clicked, ...hints, allowNonHttpProtocols: false },
    logLevel: "off",
    theme: colours(),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  terminal.loadAddon(new WebLinksAddon(clicked, hints));
  terminal.attachCustomKeyEventHandler((event) => isForTerminal(event, terminal, hearer));
  terminal.parser.registerOscHandler(OSC_CLIPBOARD, (data) => {
    const text = copied(data);
    if (text !== null) hearer.copy(text, true);
    return true;
  });
  terminal.onData((data) => hearer.input(data));
  terminal.open(place);
  terminal.textarea?.setAttribute("aria-describedby", hearer.help);
  draw(terminal);
  return {
    get size() {
      return within({ columns: terminal.cols, rows: terminal.rows });
    },
    get hasApplicationArrows() {
      return terminal.modes.applicationCursorKeysMode;
    },
    fit: () => fitted(terminal, fit),
    focus: () => terminal.focus(),
    read(isOn) {
      terminal.options.screenReaderMode = isOn;
    },
    paint() {
      terminal.options.theme = colours();
    },
    write: (bytes, done) => terminal.write(bytes, done),
    close: () => terminal.dispose(),
  };
}

/// With WebGL where a graphics processor does it; else, or when its context is lost, with elements.
function draw(terminal: Terminal): void {
  if (!isFast()) return;
  try {
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => webgl.dispose());
    terminal.loadAddon(webgl);
  } catch {
    // The renderer of elements is there from the start.
  }
}

const BY_SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/// WebGL that the main processor has to do is slower than elements are.
function isFast(): boolean {
  const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(context.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  // Browsers permit few contexts at a time.
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !BY_SOFTWARE.test(renderer);
}

function fitted(terminal: Terminal, fit: FitAddon): boolean {
  // Nothing is measured while it is hidden: a height of 100 % would be taken for one of 100 dots.
  if (!terminal.element?.offsetParent) return false;
  const wanted = fit.proposeDimensions();
  if (!wanted || !Number.isFinite(wanted.cols) || !Number.isFinite(wanted.rows)) return false;
  const { columns, rows } = within({ columns: wanted.cols, rows: wanted.rows });
  if (columns === terminal.cols && rows === terminal.rows) return false;
  terminal.resize(columns, rows);
  return true;
}

/// Keys of the page itself are not for the program.
function isForTerminal(event: KeyboardEvent, terminal: Terminal, hearer: Hearer): boolean {
  if (event.type !== "keydown") return true;
  if (event.key === "F6") {
    event.preventDefault();
    hearer.leave();
    return false;
  }
  if (isCopy(event, terminal.hasSelection())) {
    event.preventDefault();
    if (terminal.hasSelection()) hearer.copy(terminal.getSelection(), false);
    terminal.clearSelection();
    return false;
  }
  // The browser pastes; and while there is no session, its keys are its own.
  return !isPaste(event) && hearer.isLive();
}

function clicked(event: MouseEvent, address: string): void {
  if (isMeant(event, isMac())) follow(address);
}

/// Our tokens as the sixteen colours.
function colours(): ITheme {
  const [ground, text, muted, accent] = [token("--ground"), token("--text"), token("--muted"), token("--accent")];
  const pair = (name: string) => [token(`--${name}`), token(`--${name}`)] as const;
  const [red, brightRed] = pair("bad");
  const [green, brightGreen] = pair("ok");
  const [yellow, brightYellow] = pair("attention");
  const [magenta, brightMagenta] = pair("cancelled");
  const [cyan, brightCyan] = pair("working");
  return {
    background: ground,
    foreground: text,
    cursor: accent,
    cursorAccent: ground,
    selectionBackground: `${accent}55`,
    black: token("--raised"),
    brightBlack: token("--edge"),
    white: muted,
    brightWhite: text,
    blue: accent,
    brightBlue: accent,
    ...{ red, brightRed, green, brightGreen, yellow, brightYellow, magenta, brightMagenta, cyan, brightCyan },
  };
}
