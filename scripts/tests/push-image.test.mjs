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
case "$*" in *"$FAIL"*) echo "HTTP 502" >&2; exit 1 ;; esac
case "$*" in
"build "*) for last in "$@"; do :; done; ls "$last" >>"$STATE/calls"; cat "$last/odd" >>"$STATE/calls" ;;
*"imagetools inspect"*range*)
  for last in "$@"; do :; done
  if [ -z "$THERE" ]; then echo "ERROR: $last: not found" >&2; exit 1; fi
  echo "$THERE" ;;
*"imagetools inspect"*) for last in "$@"; do :; done; echo "sha256:of-$last" ;;
esac
`;

/** A release of binaries that are none; answers what was asked of docker. */
async function pushed(t, { number = version, fail = "nothing that occurs", there = "" } = {}) {
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
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, STATE: state, FAIL: fail, THERE: there };
  const done = await run([join(root, "scripts/push-image.sh"), release], { env });
  return { ...done, calls: readFileSync(join(state, "calls"), "utf8") };
}

const image = "ghcr.io/oddessentials/odd";
const commit = spawnSync(join(root, "scripts/commit.sh"), { encoding: "utf8" }).stdout.trim();
// In whatever order the registry tells them.
const both = `sha256:of-${image}:${commit}-arm64\nsha256:of-${image}:${commit}-amd64`;

test("each architecture has its binary and the notices; the version and the commit have both", async (t) => {
  const done = await pushed(t);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout, `sha256:of-${image}:${version}\n`);
  for (const [architecture, machine] of [
    ["amd64", "x64"],
    ["arm64", "arm64"],
  ]) {
    const built = new RegExp(
      `^build .*--platform linux/${architecture} .*--tag ${image}:${commit}-${architecture} .*\nTHIRD-PARTY-NOTICES.txt.gz\nodd\nbinary of ${machine}\n`,
      "m",
    );
    assert.match(done.calls, built);
  }
  const [, tags] = /imagetools create (.+)/.exec(done.calls);
  for (const tag of [version, commit]) assert.ok(tags.includes(`--tag ${image}:${tag} `), tag);
  assert.ok(tags.endsWith(`${image}@sha256:of-${image}:${commit}-amd64 ${image}@sha256:of-${image}:${commit}-arm64`));
  assert.doesNotMatch(done.calls, /:latest/);
});

test("a version that is there with the same images is left", async (t) => {
  const done = await pushed(t, { there: both });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout, `sha256:of-${image}:${version}\n`);
  const created = done.calls.match(/imagetools create .+/g);
  assert.deepEqual(created, [`imagetools create --tag ${image}:${commit} ${image}:${version}`]);
});

test("a version that is there with other images is refused, and no tag of it is moved", async (t) => {
  const done = await pushed(t, { there: both.replace("-arm64", "-other") });
  assert.equal(done.code, 6, done.stderr);
  assert.match(done.stderr, /is there with sha256:.*-other, and this is sha256:.*-arm64: release another version/);
  assert.equal(done.stdout, "");
  assert.doesNotMatch(done.calls, new RegExp(`imagetools create|--tag ${image}:${version} `));
});

/** Tags a version as the latest. */
async function latest(t, number) {
  const [state, bin] = [folder(t), folder(t)];
  writeFileSync(join(bin, "docker"), docker, { mode: 0o755 });
  writeFileSync(join(state, "calls"), "");
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, STATE: state, FAIL: "nothing that occurs" };
  const done = await run([join(root, "scripts/push-image.sh"), "latest", ...number], { env });
  return { ...done, calls: readFileSync(join(state, "calls"), "utf8") };
}

test("the latest is the image of a version, and not of what comes before one", async (t) => {
  const done = await latest(t, ["9.9.9"]);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.calls, `buildx imagetools create --tag ${image}:latest ${image}:9.9.9\n`);
  const before = await latest(t, ["9.9.9-rc.1"]);
  assert.equal(before.code, 0, before.stderr);
  assert.equal(before.calls, "");
  const usage = await latest(t, []);
  assert.equal(usage.code, 2);
  assert.match(usage.stderr, /usage: scripts\/push-image\.sh RELEASE\n.*push-image\.sh latest VERSION/);
});

test("where something fails, nothing is tagged", async (t) => {
  const steps = ["--platform linux/amd64", "--platform linux/arm64", "push --quiet", ".Manifest.Digest", "{{range"];
  for (const fail of steps) {
    const done = await pushed(t, { fail });
    assert.notEqual(done.code, 0, fail);
    assert.equal(done.stdout, "");
    assert.doesNotMatch(done.calls, /imagetools create/);
  }
});
