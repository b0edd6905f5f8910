import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import schema from "../../../../contracts/schemas/job-submission.json";
import { type Schema, validate } from "../src/look/schema";
import { check, command, EMPTY, errorsOf } from "../src/pages/new-task/draft";

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), "../../../../contracts/fixtures");

function fixtures(kind: "golden" | "negative"): [string, unknown][] {
  const folder = join(FIXTURES, kind, "job-submission");
  return readdirSync(folder).map((name) => [name, JSON.parse(readFileSync(join(folder, name), "utf8"))]);
}

describe("the job schema", () => {
  it.each(fixtures("golden"))("takes %s", (_name, document) => {
    expect(validate(schema as Schema, document)).toEqual([]);
  });

  // A file's name tells the place of the error behind its @.
  it.each(fixtures("negative"))("refuses %s there", (name, document) => {
    const place = name.replace(/\.json$/, "").split("@")[1] ?? "";
    const path = place === "" ? "" : `/${place.replaceAll(".", "/")}`;
    expect(validate(schema as Schema, document).map((error) => error.path)).toContain(path);
  });

  it("says what is wrong in the words of the gateway", () => {
    const errors = validate(schema as Schema, { type: "a b", options: { maxAttempts: 0, delayMs: "5" } });
    expect(errors).toEqual([
      { path: "/type", message: "must consist of A-Z, a-z, 0-9, '.', '_' and '-' only" },
      { path: "/options/maxAttempts", message: "must be at least 1" },
      { path: "/options/delayMs", message: "must be a whole number, not a text" },
    ]);
  });
});

describe("the form", () => {
  it("leaves out what is empty", () => {
    expect(check({ ...EMPTY, type: "hello" })).toEqual({ submission: { type: "hello", payload: {} }, errors: [] });
  });

  it("names the field that is wrong", () => {
    const { errors } = check({ ...EMPTY, payload: "{oops", backoffMs: "soon", metadata: "[]" });
    expect(errorsOf("type", errors)).toEqual(["must not be empty"]);
    expect(errorsOf("payload", errors)[0]).toMatch(/^is no JSON/);
    expect(errorsOf("backoffMs", errors)).toEqual(["must be a whole number, not a text"]);
    expect(errorsOf("metadata", errors)).toEqual(["must be an object, not an array"]);
    expect(errorsOf("id", errors)).toEqual([]);
  });

  it("takes local time as an instant", () => {
    const { submission, errors } = check({ ...EMPTY, type: "hello", runAt: "2026-01-31T12:00" });
    expect(errors).toEqual([]);
    expect(submission.options).toEqual({ runAt: new Date("2026-01-31T12:00").toISOString() });
  });

  it("is the same on the command line, quoted for a shell", () => {
    const draft = { ...EMPTY, type: "resize", payload: `{"a":"it's"}`, maxAttempts: "5", delayMs: "100" };
    expect(command(check(draft))).toBe(`odd submit resize --payload '{"a":"it'\\''s"}' --max-attempts 5 --delay 100ms`);
  });
});
