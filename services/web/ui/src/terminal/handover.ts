/// Takes the token out of the address before anything else is done with it: addresses are shown, kept and copied.

import { signal } from "@preact/signals";
import { handedOver, isToken, Keys } from "./keys";

export const keys = new Keys(() => sessionStorage);
/// Grows with each token that is handed over.
export const handed = signal(0);

export function takeToken(): void {
  const found = handedOver(location.hash);
  if (!found) return;
  history.replaceState(history.state, "", found.rest);
  const token = found.token.trim();
  if (!isToken(token)) return;
  keys.token = token;
  handed.value += 1;
}

takeToken();
