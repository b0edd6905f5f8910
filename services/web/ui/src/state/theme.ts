/// Dark, light, or as the system has it. `theme.js` applies what was chosen before the first picture.

import { signal } from "@preact/signals";

export type Theme = "system" | "dark" | "light";
const KEY = "odd.theme";
const ORDER: Theme[] = ["system", "dark", "light"];

export const theme = signal<Theme>(stored());
/// Grows whenever colours change, for what is painted and not styled.
export const painted = signal(0);

function stored(): Theme {
  try {
    const chosen = localStorage.getItem(KEY);
    return chosen === "dark" || chosen === "light" ? chosen : "system";
  } catch {
    return "system";
  }
}

/// The one after the present one.
export function next(): void {
  const at = ORDER.indexOf(theme.value);
  choose(ORDER[(at + 1) % ORDER.length] ?? "system");
}

export function choose(chosen: Theme): void {
  theme.value = chosen;
  const root = document.documentElement;
  if (chosen === "system") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // It holds until the page is left.
  }
  painted.value += 1;
}

export function followSystem(): void {
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
    painted.value += 1;
  });
}

/// A colour of the present theme.
export const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
