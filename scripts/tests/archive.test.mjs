// scripts/archive.sh: what is in an archive, and that the same files give the same one.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run, sha256, standIn, version, which } from "./support.mjs";

/** With notices that are there already: those of the real thing take their time to gather. */
function archive(binary, target, out, env = {}, native = []) {
  writeFileSync(join(out, "THIRD-PARTY-NOTICES.txt"), "of others\n");
  return run([join(root, "scripts/archive.sh"), binary, target, out, ...native], {
    env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000", ...env },
  });
}

function program(t, says = version) {
  const path = join(folder(t), "odd");
  standIn(path, says);
  return path;
}

const contents = (name, binary) =>
  [
    "LICENSE",
    "README.md",
    "THIRD-PARTY-NOTICES.txt",
    "completions/",
    "completions/_odd",
    "completions/odd.bash",
    "completions/odd.fish",
    "man/",
    `man/odd-of-${version}.1`,
    "man/odd-up.1",
    "man/odd.1",
    binary,
  ].map((file) => `${name}/${file}`);

test("an archive has one folder with the binary and what belongs to it", async (t) => {
  const out = folder(t);
  const done = await archive(program(t), "linux-arm64", out);
  assert.equal(done.code, 0, done.stderr);
  const name = `odd-${version}-linux-arm64`;
  assert.equal(done.stdout, `${out}/${name}.tar.gz\n`);
  const listed = spawnSync("tar", ["-tvzf", `${out}/${name}.tar.gz`, "--numeric-owner"], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC" },
  }).stdout;
  assert.deepEqual(
    listed
      .trim()
      .split("\n")
      .map((line) => line.split(" ").pop()),
    [`${name}/`, ...contents(name, "odd")],
  );
  for (const line of listed.trim().split("\n"))
    assert.match(line, /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) 0\/0 .* 2023-11-14 22:13 /);
  assert.match(listed, /^-rwxr-xr-x .*\/odd$/m);
  assert.equal(readFileSync(join(out, "VERSION"), "utf8"), `${version}\n`);
});

test("the same files give the same archive, entered once", async (t) => {
  const [one, two] = [folder(t), folder(t)];
  const [first, second] = [program(t), program(t)];
  utimesSync(second, 1, 1);
  const targets = ["linux-x64", ...(which("zip") ? ["windows-x64"] : [])];
  for (const [binary, out, env] of [
    [first, one, {}],
    [second, two, { TZ: "Asia/Tokyo", LC_ALL: "C.UTF-8" }],
    [second, two, {}],
  ]) {
    for (const target of targets) assert.equal((await archive(binary, target, out, env)).code, 0);
  }
  const sums = readFileSync(join(one, "SHA256SUMS"), "utf8");
  assert.equal(readFileSync(join(two, "SHA256SUMS"), "utf8"), sums);
  const lines = sums
    .trim()
    .split("\n")
    .map((line) => line.split("  "));
  assert.deepEqual(
    lines.map(([, name]) => name),
    targets.map((each) => `odd-${version}-${each}.${each.startsWith("win") ? "zip" : "tar.gz"}`),
  );
  for (const [sum, name] of lines) assert.equal(sha256(readFileSync(join(one, name))), sum);
});

test("an archive for Windows has odd.exe; a binary that runs here writes what that cannot", async (t) => {
  if (!which("zip") || !which("unzip")) return t.skip("there is no zip or no unzip here");
  const out = folder(t);
  const binary = join(folder(t), "built.exe");
  writeFileSync(binary, "MZ");
  assert.equal((await archive(binary, "windows-x64", out)).code, 6);
  const done = await archive(binary, "windows-x64", out, {}, [program(t)]);
  assert.equal(done.code, 0, done.stderr);
  const name = `odd-${version}-windows-x64`;
  const listed = spawnSync("unzip", ["-Z1", `${out}/${name}.zip`], { encoding: "utf8" }).stdout;
  assert.deepEqual(listed.trim().split("\n").sort(), [`${name}/`, ...contents(name, "odd.exe")].sort());
  assert.ok(statSync(`${out}/${name}.zip`).size > 0);
});

test("nothing is packed that is not what it says", async (t) => {
  const out = folder(t);
  for (const [binary, target, code, message] of [
    [program(t, "7.7.7"), "linux-x64", 6, /says that it is odd 7\.7\.7, but Cargo\.toml says/],
    [program(t), "linux-riscv64", 2, /there is no target linux-riscv64/],
    [join(out, "nothing"), "linux-x64", 3, /there is no binary/],
  ]) {
    const done = await archive(binary, target, out);
    assert.equal(done.code, code, done.stderr);
    assert.match(done.stderr, message);
  }
});
