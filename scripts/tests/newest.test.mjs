// scripts/newest.sh, in a repository with tags: which of them may become the latest.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run } from "./support.mjs";

/** A repository with these tags. */
function tagged(t, tags) {
  const at = folder(t);
  const git = (...args) => assert.equal(spawnSync("git", args, { cwd: at }).status, 0, args.join(" "));
  git("init", "--quiet");
  const author = ["-c", "user.name=odd", "-c", "user.email=odd@example.org", "-c", "commit.gpgsign=false"];
  git(...author, "commit", "--quiet", "--allow-empty", "--message", "first");
  for (const tag of tags) git("-c", "tag.gpgsign=false", "tag", tag);
  return (...args) => run([join(root, "scripts/newest.sh"), ...args], { cwd: at });
}

test("the newest version is released, and what comes before one to come", async (t) => {
  const newest = tagged(t, ["v1.2.0", "v1.9.0", "v1.10.0", "v1.11.0-rc.1", "v1.11.0-rc.2", "vain", "v9"]);
  for (const tag of ["v1.10.0", "v1.11.0-rc.1", "v1.11.0-rc.2", "v2.0.0"]) {
    const done = await newest(tag);
    assert.equal(done.code, 0, tag + done.stderr);
  }
});

test("an older line is refused", async (t) => {
  const newest = tagged(t, ["v1.9.0", "v1.9.1", "v1.10.0", "v1.9.2-rc.1"]);
  for (const tag of ["v1.9.1", "v1.9.2-rc.1"]) {
    const done = await newest(tag);
    assert.equal(done.code, 6, tag);
    assert.match(done.stderr, /would become the latest, and v1\.10\.0 is newer/);
  }
});

test("the first release is the newest, and wrong use is told", async (t) => {
  const newest = tagged(t, ["v0.1.0"]);
  assert.equal((await newest("v0.1.0")).code, 0);
  const usage = await newest();
  assert.equal(usage.code, 2);
  assert.match(usage.stderr, /usage: scripts\/newest\.sh TAG/);
});
