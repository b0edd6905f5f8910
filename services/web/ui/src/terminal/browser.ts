/// The world as the browser has it.

import { PROTOCOL } from "./protocol";
import { ticket } from "./ticket";
import type { Ears, Socket, World } from "./world";

/// A page that nobody sees has no pictures.
const UNSEEN_MS = 50;

export function browser(elsewhere: (name: string) => Promise<string | null>): World {
  return {
    ticket,
    socket,
    timer(run, ms) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    frame(run) {
      if (document.hidden) setTimeout(run, UNSEEN_MS);
      else requestAnimationFrame(run);
    },
    now: Date.now,
    random: Math.random,
    presence: () => (!navigator.onLine && !isLoopback() ? "offline" : document.hidden ? "hidden" : "here"),
    name: () =>
      Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    elsewhere,
  };
}

/// A machine without a network still reaches itself.
const isLoopback = () => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);

function socket(ears: Ears): Socket {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/ws`, PROTOCOL);
  opened.binaryType = "arraybuffer";
  opened.addEventListener("open", () => ears.opened());
  opened.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === "string") ears.text(data);
    else ears.bytes(new Uint8Array(data));
  });
  opened.addEventListener("close", ({ code }) => ears.closed(code));
  return {
    send(text) {
      if (opened.readyState === WebSocket.OPEN) opened.send(text);
    },
    close: () => opened.close(1000),
  };
}
