#!/usr/bin/env node
// Writes the packages of npm into a folder: OUTDIR/odd, the launcher, and OUTDIR/odd-PLATFORM for each binary, ready for `npm pack` and
// `npm publish`. The version is the workspace's, from Cargo.toml; where npm/odd/package.json has another one, nothing is written.
// usage: node scripts/npm-packages.mjs OUTDIR NOTICES TARGET=BINARY...
//
// NOTICES  the notices of third parties, as scripts/notices.mjs prints them: they go with each binary
// TARGET   as of scripts/archive.sh: linux-x64, linux-arm64, macos-x64, macos-arm64 or windows-x64

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What npm calls the targets: process.platform of Node.js, and process.arch of those that run it, the first of which names the package. */
const TARGETS = {
  "linux-x64": ["linux", "x64"],
  "linux-arm64": ["linux", "arm64"],
  "macos-x64": ["darwin", "x64"],
  "macos-arm64": ["darwin", "arm64"],
  // Windows 11 on ARM runs programs for x64.
  "windows-x64": ["win32", "x64", "arm64"],
};

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function workspaceVersion() {
  const section = readFileSync(join(root, "Cargo.toml"), "utf8").split("[workspace.package]")[1] ?? "";
  return /^version = "(.+)"$/m.exec(section)?.[1] ?? complain(6, "Cargo.toml names no version");
}

function checkedLauncher(version) {
  const launcher = JSON.parse(readFileSync(join(root, "npm/odd/package.json"), "utf8"));
  for (const [name, other] of [[launcher.name, launcher.version], ...Object.entries(launcher.optionalDependencies)]) {
    if (other !== version)
      complain(6, `npm/odd/package.json names ${name} ${other}, but Cargo.toml says ${version}: make them agree`);
  }
  return launcher;
}

function fresh(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

function writeLauncher(folder) {
  fresh(folder);
  cpSync(join(root, "npm/odd"), folder, { recursive: true });
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  chmodSync(join(folder, "bin/odd.js"), 0o755);
}

const packageName = ([os, cpu]) => `odd-${os}-${cpu}`;

function writePlatform(folder, version, [os, ...cpus], binary, notices) {
  const program = os === "win32" ? "odd.exe" : "odd";
  const filled = (text) =>
    text
      .replaceAll("PLATFORM", `${os}-${cpus[0]}`)
      .replaceAll("VERSION", version)
      .replaceAll("PROGRAM", program)
      .replaceAll('"OS"', `"${os}"`)
      .replaceAll('"CPU"', cpus.map((cpu) => `"${cpu}"`).join(", "));
  fresh(folder);
  for (const file of ["package.json", "README.md"]) {
    writeFileSync(join(folder, file), filled(readFileSync(join(root, "npm/platform", file), "utf8")));
  }
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  copyFileSync(notices, join(folder, "THIRD-PARTY-NOTICES.txt"));
  mkdirSync(join(folder, "bin"));
  copyFileSync(binary, join(folder, "bin", program));
  chmodSync(join(folder, "bin", program), 0o755);
}

function main([out, notices, ...pairs]) {
  const binaries = pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);
  if (!out || binaries.length === 0)
    complain(2, "usage: node scripts/npm-packages.mjs OUTDIR NOTICES TARGET=BINARY...");
  if (!existsSync(notices)) complain(3, `there are no notices ${notices}: scripts/notices.mjs prints them`);
  for (const [target, binary] of binaries) {
    if (!TARGETS[target]) complain(2, `there is no target ${target}: ${Object.keys(TARGETS).join(", ")}`);
    if (!existsSync(binary)) complain(3, `there is no binary ${binary}`);
  }
  const version = workspaceVersion();
  const launcher = checkedLauncher(version);
  writeLauncher(join(out, "odd"));
  for (const [target, binary] of binaries) {
    const name = packageName(TARGETS[target]);
    if (!launcher.optionalDependencies[`@oddessentials/${name}`])
      complain(6, `npm/odd/package.json does not name ${name}`);
    writePlatform(join(out, name), version, TARGETS[target], binary, notices);
    process.stdout.write(`${join(out, name)}\n`);
  }
  process.stdout.write(`${join(out, "odd")}\n`);
}

main(process.argv.slice(2));
