import { describe, expect, it } from "vitest";
import type { Overview, UiEntry } from "../src/api/types";
import { offered, portOf, reach } from "../src/look/ports";

const entry = (id: string, port: number, engines: string[]): UiEntry => ({
  id,
  name: id,
  description: "",
  port,
  path: "/",
  engines,
});
const GATEWAY = entry("gateway-docs", 3_000, ["embedded", "docker"]);
const RABBIT = entry("rabbitmq", 15_672, ["docker"]);
const PROMETHEUS = entry("prometheus", 9_090, ["docker"]);

describe("interfaces", () => {
  it("are where the page is, shifted alike", () => {
    const told = { version: 1, port: 8_081, portOffset: 0, entries: [] };
    expect(portOf(GATEWAY, told, 8_081)).toBe(3_000);
    expect(portOf(GATEWAY, told, 8_781)).toBe(3_700);
    expect(portOf(GATEWAY, { ...told, port: 8_781, portOffset: 700 }, 8_781)).toBe(3_700);
    expect(portOf(GATEWAY, told, 0)).toBe(3_000);
    expect(portOf(RABBIT, { ...told, portOffset: 60_000 }, 8_081)).toBeNull();
  });

  it("are those of the engine", () => {
    expect(offered([GATEWAY, RABBIT], "docker")).toEqual([GATEWAY, RABBIT]);
    expect(offered([GATEWAY, RABBIT], "servers")).toEqual([GATEWAY]);
  });

  it("are as the system says", () => {
    const overview = { roles: [{ role: "gateway", state: "down", url: "" }] } as unknown as Overview;
    const target = (health: "up" | "down" | "unknown") => ({ targets: [{ job: "rabbitmq", instance: "r", health }] });
    expect(reach(GATEWAY, overview, null)).toBe("down");
    expect(reach(GATEWAY, null, null)).toBe("unknown");
    expect(reach(RABBIT, overview, null)).toBe("unknown");
    expect(reach(RABBIT, overview, target("up"))).toBe("healthy");
    expect(reach(RABBIT, overview, target("down"))).toBe("down");
    expect(reach(RABBIT, overview, target("unknown"))).toBe("unknown");
    expect(reach(PROMETHEUS, overview, target("up"))).toBe("healthy");
  });
});
