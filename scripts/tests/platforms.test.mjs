// The command that ci.yml runs on macOS and Windows, where no Docker engine is: here without one, too, every test that it does not leave out
// passes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./support.mjs";
import { parse, workflows } from "./workflow-rules.mjs";

test("tests for every platform need no Docker engine", () => {
  const { steps } = parse(workflows()["ci.yml"]).jobs.platforms;
  const [command, ...others] = steps.map((step) => step.run).filter((run) => run?.startsWith("cargo test"));
  assert.deepEqual(others, []);
  const none = { DOCKER_HOST: `unix://${join(tmpdir(), "no-engine-is-here.sock")}`, CARGO_TERM_COLOR: "never" };
  const done = spawnSync(command, { cwd: root, env: { ...process.env, ...none }, shell: true, encoding: "utf8" });
  const failed = done.stdout.match(/^test .* FAILED$/gm) ?? [];
  assert.equal(done.status, 0, `${failed.join("\n")}\n${done.stderr.slice(-2000)}`);
  const passed = [...done.stdout.matchAll(/^test result: ok\. (\d+) passed/gm)].map(([, count]) => Number(count));
  assert.ok(passed.length > 10 && Math.max(...passed) > 100, `so many tests passed: ${passed}`);
});
