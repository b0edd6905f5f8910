// scripts/coverage.mjs: what it lets pass and what not.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run } from "./support.mjs";

/** A report of two crates in which so many of 1000 lines are run. */
function compared(t, covered, floor, ...before) {
  const tree = folder(t);
  for (const name of ["scripts", ".ci"]) mkdirSync(join(tree, name));
  cpSync(join(root, "scripts/coverage.mjs"), join(tree, "scripts/coverage.mjs"));
  writeFileSync(join(tree, ".ci/coverage"), `${floor}\n`);
  const lines = (count, run) => ({ lines: { count, covered: run, percent: 0 } });
  const files = [
    { filename: join(tree, "cli/src/main.rs"), summary: lines(100, 0) },
    { filename: join(tree, "services/store/src/sql/a.rs"), summary: lines(400, 0) },
    { filename: join(tree, "services/store/src/lib.rs"), summary: lines(500, covered) },
  ];
  writeFileSync(join(tree, "report.json"), JSON.stringify({ data: [{ files, totals: lines(1000, covered) }] }));
  return run(["node", join(tree, "scripts/coverage.mjs"), join(tree, "report.json"), ...before]);
}

test("as many lines as the floor says, or a few more, pass and are told by crate", async (t) => {
  for (const covered of [400, 404, 409]) {
    const done = await compared(t, covered, "40.0", "40.0");
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, new RegExp(`^\\| services/store \\| 900 \\| ${covered} \\|`, "m"));
    assert.match(done.stdout, new RegExp(`^\\| all \\| 1000 \\| ${covered} \\|`, "m"));
  }
  assert.equal((await compared(t, 400, "40.0", "38.5")).code, 0);
  assert.equal((await compared(t, 400, "40.0")).code, 0);
});

test("fewer lines are refused", async (t) => {
  const done = await compared(t, 399, "40.0");
  assert.equal(done.code, 6);
  assert.match(done.stderr, /39\.90 % of the lines, fewer than the 40 %/);
});

test("a floor that is lowered is refused", async (t) => {
  const done = await compared(t, 400, "39.9", "40.0");
  assert.equal(done.code, 6);
  assert.match(done.stderr, /says 39\.9, and said 40\.0 before/);
});

test("a floor far below is to be raised, to what passes then", async (t) => {
  const done = await compared(t, 420, "40.0", "40.0");
  assert.equal(done.code, 6);
  const [, next] = /write (.+) there/.exec(done.stderr);
  assert.equal(next, "41.7");
  assert.equal((await compared(t, 420, next, "40.0")).code, 0);
});

test("nothing measured, or no floor, is no pass", async (t) => {
  for (const floor of ["", "much", "-1", "101"]) assert.equal((await compared(t, 400, floor)).code, 6, floor);
  const tree = folder(t);
  const none = { data: [{ files: [], totals: { lines: { count: 0, covered: 0, percent: 0 } } }] };
  writeFileSync(join(tree, "report.json"), JSON.stringify(none));
  const done = await run(["node", join(root, "scripts/coverage.mjs"), join(tree, "report.json")]);
  assert.equal(done.code, 6);
  assert.match(done.stderr, /nothing was measured/);
});

test("the floor of this commit is one", () => {
  const floor = Number(readFileSync(join(root, ".ci/coverage"), "utf8"));
  assert.ok(floor >= 0 && floor <= 100);
});
