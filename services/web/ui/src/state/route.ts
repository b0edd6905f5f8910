/// Which page is shown, by the fragment of the address: it works with every server, and is not sent to any.

import { signal } from "@preact/signals";
import { takeToken } from "../terminal/handover";

export interface Route {
  /// Parts of the path, such as `jobs` and an id.
  path: string[];
  query: URLSearchParams;
}

export function read(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/// A fragment, such as `#/jobs/9f31…` or `#/?q=status%3Afailed`.
export function to(path: string[], query: Record<string, string | undefined> = {}): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const text = new URLSearchParams(pairs).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>(read(""));

export function followAddress(): void {
  const take = () => {
    takeToken();
    route.value = read(location.hash);
  };
  addEventListener("hashchange", take);
  take();
}

/// Goes to another page.
export function go(fragment: string): void {
  location.hash = fragment;
}

/// Changes the address of this page without a step in the history.
export function replace(fragment: string): void {
  window.history.replaceState(null, "", fragment);
  route.value = read(fragment);
}
