// scripts/push-image.sh, with something in place of `docker` that notes what it is asked for: what is pushed under which names, and that nothing
// is tagged where something failed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run, version } from "./support.mjs";

const docker = `#!/bin/sh
echo "$*" >>"$STATE/calls"
case "$*" in *"$FAIL"*) exit 1 ;; esac
case "$*" in
"build "*) for last in "$@"; do :; done; ls "$last" >>"$STATE/calls"; cat "$last/odd" >>"$STATE/calls" ;;
*"imagetools inspect"*) for last in "$@"; do :; done; echo "sha256:of-$last" ;;
esac
`;

/** A release of binaries that are none; answers what was asked of docker. */
async function pushed(t, { number = version, fail = "nothing that occurs" } = {}) {
  const [state, bin, release] = [folder(t), folder(t), folder(t)];
  writeFileSync(join(bin, "docker"), docker);
  chmodSync(join(bin, "docker"), 0o755);
  writeFileSync(join(release, "VERSION"), `${number}\n`);
  writeFileSync(join(release, "THIRD-PARTY-NOTICES.txt"), "of others\n");
  for (const machine of ["x64", "arm64"]) {
    const name = `odd-${number}-linux-${machine}`;
    mkdirSync(join(release, name));
    writeFileSync(join(release, name, "odd"), `binary of ${machine}\n`);
    assert.equal(spawnSync("tar", ["-czf", `${name}.tar.gz`, name], { cwd: release }).status, 0);
  }
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, STATE: state, FAIL: fail };
  const done = await run([join(root, "scripts/push-image.sh"), release], { env });
  return { ...done, calls: readFileSync(join(state, "calls"), "utf8") };
}

const image = "ghcr.io/oddessentials/odd";

test("each architecture has its binary and the notices; the version, the commit and the latest have both", async (t) => {
  const done = await pushed(t);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout, `sha256:of-${image}:${version}\n`);
  for (const [architecture, machine] of [
    ["amd64", "x64"],
    ["arm64", "arm64"],
  ]) {
    const built = new RegExp(
      `^build .*--platform linux/${architecture} .*--tag ${image}:${version}-${architecture} .*\nTHIRD-PARTY-NOTICES.txt.gz\nodd\nbinary of ${machine}\n`,
      "m",
    );
    assert.match(done.calls, built);
  }
  const [, tags] = /imagetools create (.+)/.exec(done.calls);
  const commit = spawnSync(join(root, "scripts/commit.sh"), { encoding: "utf8" }).stdout.trim();
  for (const tag of [version, commit, "latest"]) assert.ok(tags.includes(`--tag ${image}:${tag} `), tag);
  assert.ok(tags.endsWith(`${image}@sha256:of-${image}:${version}-amd64 ${image}@sha256:of-${image}:${version}-arm64`));
});

test("a version before a version is not the latest", async (t) => {
  const done = await pushed(t, { number: "9.9.9-rc.1" });
  assert.equal(done.code, 0, done.stderr);
  assert.doesNotMatch(done.calls, /:latest/);
});

test("where something fails, nothing is tagged", async (t) => {
  for (const fail of ["--platform linux/amd64", "--platform linux/arm64", "push --quiet", "imagetools inspect"]) {
    const done = await pushed(t, { fail });
    assert.notEqual(done.code, 0, fail);
    assert.equal(done.stdout, "");
    assert.doesNotMatch(done.calls, /imagetools create/);
  }
});
