/// Where the other pages are, and whether they can be reached.

import type { HealthState, Interfaces, Overview, TargetList, UiEntry } from "../api/types";

/// A container may publish its port under another number; the others are then shifted by as much.
export function portOf(entry: UiEntry, { port, portOffset }: Interfaces, here: number): number | null {
  const shift = here > 0 ? Math.max(0, here - port) : 0;
  const found = entry.port + portOffset + shift;
  return found <= 65_535 ? found : null;
}

/// Those that the engine has. Of an engine that nobody knows, those that every engine has.
export function offered(entries: UiEntry[], engine: string): UiEntry[] {
  const known = entries.some((entry) => entry.engines.includes(engine));
  return entries.filter((entry) => entry.engines.includes(known ? engine : "embedded"));
}

export type Reach = HealthState | "unknown";

const ROLES: Record<string, string> = { dashboard: "web", "gateway-docs": "gateway", "read-model-docs": "read-model" };

/// What the system itself says of the page: a browser may not ask other addresses.
export function reach(entry: UiEntry, overview: Overview | null, targets: TargetList | null): Reach {
  const role = ROLES[entry.id];
  if (role) return overview?.roles.find((one) => one.role === role)?.state ?? "unknown";
  // The gateway asked Prometheus for its targets: so it answers.
  if (entry.id === "prometheus" && targets) return "healthy";
  const scraped = targets?.targets.filter((target) => target.job === entry.id) ?? [];
  if (scraped.length === 0) return "unknown";
  if (scraped.every((target) => target.health === "up")) return "healthy";
  return scraped.some((target) => target.health === "down") ? "down" : "unknown";
}
