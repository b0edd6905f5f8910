import { describe, expect, it } from "vitest";
import { command, isId, parse, span, withStatuses } from "../src/look/filter";

const NOW = Date.parse("2026-01-31T12:00:00Z");

function query(text: string) {
  const parsed = parse(text, NOW);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.query;
}

describe("the filter", () => {
  it("has the words of the command", () => {
    expect(query("type:resize status:failed,RETRYING since:10m 9f31")).toEqual({
      type: "resize",
      statuses: ["FAILED", "RETRYING"],
      since: new Date(NOW - 600_000),
      id: "9f31",
    });
    expect(query("  ")).toEqual({ statuses: [] });
    expect(query("until:2026-01-31T13:00:00+02:00").until).toEqual(new Date("2026-01-31T11:00:00Z"));
  });

  it.each([
    ["colour:red", "colour"],
    ["status:odd", "odd"],
    ["since:yesterday", "yesterday"],
    ["since:5", "5"],
    ["type:", "type"],
  ])("names what means nothing: %s", (text, named) => {
    const parsed = parse(text, NOW);
    expect("error" in parsed && parsed.error).toContain(named);
  });

  it("reads durations as the command line does", () => {
    expect(["500ms", "2s", "1.5m", "1m30s", "365d", "250us"].map(span)).toEqual([
      500, 2_000, 90_000, 90_000, 31_536_000_000, 0.25,
    ]);
    expect(["", "5", "s", "-1s", "1y", "366d", "1..5s"].map(span)).toEqual(Array(7).fill(null));
  });

  it("is written as arguments, with nothing that a shell would read", () => {
    expect(command("type:resize status:failed 9f31")).toBe("odd jobs list --type resize --status failed --id 9f31");
    expect(command("type:$(x)'")).toBe("odd jobs list --type '$(x)'\\'''");
    expect(command("")).toBe("odd jobs list");
  });

  it("takes statuses from buttons", () => {
    expect(withStatuses("type:a status:failed 9f31", ["COMPLETED", "CANCELLED"])).toBe(
      "type:a 9f31 status:completed,cancelled",
    );
    expect(withStatuses("status:failed", [])).toBe("");
  });

  it("knows a whole id", () => {
    expect(isId("9F31c2ab-0000-4000-8000-000000000001")).toBe(true);
    expect(isId("9f31c2ab")).toBe(false);
  });
});
