#!/usr/bin/env node
// Tests what is released on the platform that it is for: that the archive of a folder of releases is whole and has what belongs to it, that its
// binary runs an instance which keeps its promise, and that the installer of this platform installs it, refuses what is not as it should be, and
// removes it. Leaves nothing behind.
// usage: node scripts/test-archive.mjs RELEASES TARGET
//
// RELEASES  a folder as scripts/archive.sh leaves it: archives, SHA256SUMS, VERSION
// TARGET    which of its archives: linux-x64, linux-arm64, macos-x64, macos-arm64 or windows-x64; the one of this machine
//
// Exits with 6 where something is not as it should be, and with 130 where it was interrupted.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { portOffset, root, serve, sha256, shared, tree } from "./tests/support.mjs";

const TARGETS = ["linux-x64", "linux-arm64", "macos-x64", "macos-arm64", "windows-x64"];
const windows = process.platform === "win32";

/** What is told in one line, without where in this file it was found. */
class Complaint extends Error {
  constructor(code, message, exit) {
    super(message);
    this.code = code;
    /** With which a program ended that should have succeeded. */
    this.exit = exit;
  }
}

function expect(holds, message) {
  if (!holds) throw new Complaint(6, message);
}

function passed(what) {
  process.stdout.write(`  ok  ${what}\n`);
}

/** Nothing that is set for odd on this machine reaches it, and what it keeps is in a folder of the test's own. */
function environment(work, offset) {
  const theirs = Object.entries(process.env).filter(([name]) => !name.startsWith("ODD_"));
  const home = join(work, "home");
  mkdirSync(home);
  return { ...Object.fromEntries(theirs), HOME: home, ODD_HOME: join(work, "state"), ODD_PORT_OFFSET: offset };
}

let child;
let interrupted = false;

/** Ends a program. What it started may hold its pipes, and nobody waits for that. */
function kill(program) {
  program.kill("SIGKILL");
  program.stdout.destroy();
  program.stderr.destroy();
}

/** Why a program that did not succeed did not. */
function reason({ late, seconds, code, signal }) {
  if (interrupted) return new Complaint(130, "interrupted");
  if (late) return new Complaint(6, `not within ${seconds} s`);
  return new Complaint(6, signal ? `ended by ${signal}` : `exit code ${code}`, code);
}

/** Runs a program to its end, within a time. What it said is told where it fails. */
function run(program, args, { env, seconds = 60, anyway = false }) {
  if (interrupted && !anyway) return Promise.reject(new Complaint(130, "interrupted"));
  return new Promise((done, failed) => {
    let said = "";
    let late = false;
    const running = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    child = running;
    const called = [program, ...args].join(" ");
    const deadline = setTimeout(() => {
      late = true;
      kill(running);
    }, seconds * 1000);
    const output = [];
    running.stdout.on("data", (data) => output.push(data));
    for (const stream of [running.stdout, running.stderr]) stream.on("data", (data) => (said += data));
    running.on("error", (error) => failed(new Complaint(3, `${called}: ${error.message}`)));
    running.on("close", (code, signal) => {
      clearTimeout(deadline);
      if (code === 0) return done(Buffer.concat(output).toString());
      const why = reason({ late, seconds, code, signal });
      return failed(new Complaint(why.code, `${called}: ${why.message}\n${said}`, why.exit));
    });
  });
}

function verified(releases, name) {
  expect(existsSync(join(releases, name)), `there is no ${name} in ${releases}`);
  const lines = readFileSync(join(releases, "SHA256SUMS"), "utf8").trim().split("\n");
  const sum = sha256(readFileSync(join(releases, name)));
  expect(lines.includes(`${sum}  ${name}`), `SHA256SUMS does not say ${sum} of ${name}`);
  passed(`${name} is what SHA256SUMS says`);
}

async function unpacked(archive, work, env) {
  // Of Windows itself, which takes zip; what Git brings along does not.
  const tar = windows ? join(process.env.SystemRoot, "System32", "tar.exe") : "tar";
  await run(tar, ["-xf", archive, "-C", work], { env });
}

function complete(folder, program) {
  const needed = ["LICENSE", "README.md", "THIRD-PARTY-NOTICES.txt", "completions", "man", program];
  const found = readdirSync(folder).sort();
  expect(
    found.join() === needed.sort().join(),
    `the archive has ${found.join(", ")}, and should have ${needed.join(", ")}`,
  );
  const completions = ["_odd", "odd.bash", "odd.fish"];
  expect(readdirSync(join(folder, "completions")).sort().join() === completions.join(), "completions are missing");
  for (const file of completions)
    expect(
      readFileSync(join(folder, "completions", file), "utf8").includes("submit"),
      `${file} does not know odd submit`,
    );
  const pages = readdirSync(join(folder, "man"));
  for (const page of ["odd.1", "odd-up.1", "odd-submit.1", "odd-verify.1"])
    expect(pages.includes(page), `the manual page ${page} is missing`);
  for (const page of pages)
    expect(/^\.TH /m.test(readFileSync(join(folder, "man", page), "utf8")), `${page} is no manual page`);
  expect(readFileSync(join(folder, "LICENSE"), "utf8").startsWith("MIT License"), "LICENSE is not the licence");
  for (const name of ["tokio", "preact", "SmartBear"])
    expect(
      readFileSync(join(folder, "THIRD-PARTY-NOTICES.txt"), "utf8").includes(name),
      `the notices do not tell of ${name}`,
    );
  passed(`${found.join(", ")}; ${pages.length} manual pages`);
}

async function runs(odd, version, env) {
  const [told] = /(?<=^odd +)\S+/.exec(await run(odd, ["version", "--output", "text"], { env })) ?? ["of no version"];
  expect(told === version, `the binary says that it is ${told}, and VERSION says ${version}`);
  passed(`odd version: ${told}`);
}

async function keepsItsPromise(odd, env) {
  const steps = [
    ["up", "--engine", "embedded"],
    ["submit", "hello", "--count", "100", "--wait"],
    ["verify"],
    ["test"],
    ["down", "--volumes", "--yes"],
  ];
  try {
    for (const step of steps) {
      await run(odd, step, { env, seconds: 180 });
      passed(`odd ${step.join(" ")}`);
    }
  } catch (error) {
    await run(odd, ["down", "--volumes", "--yes"], { env, anyway: true }).catch(() => {});
    throw error;
  }
}

/** A host of releases on this machine, laid out as theirs. */
async function host(releases, name, version) {
  const server = await serve(shared);
  server.files.set("/latest/download/VERSION", readFileSync(join(releases, "VERSION")));
  for (const file of [name, "SHA256SUMS"])
    server.files.set(`/download/v${version}/${file}`, readFileSync(join(releases, file)));
  return server;
}

const isThere = (program) => spawnSync(program, ["-NoProfile", "-Command", "exit 0"]).status === 0;

/** The installer of this platform, by each of the shells that it is for. */
function installers() {
  if (!windows)
    return [
      {
        name: "install.sh",
        program: "sh",
        args: [join(root, "install.sh")],
        flags: { prefix: "--prefix", version: "--version", remove: "--uninstall" },
      },
    ];
  // The first is part of Windows, the second may be there.
  const shells = ["powershell", ...["pwsh"].filter(isThere)];
  const file = ["-NoProfile", "-ExecutionPolicy", "Bypass", "-File", join(root, "install.ps1")];
  return shells.map((program) => ({
    name: `install.ps1 by ${program}`,
    program,
    // The PATH of a person stays as it is.
    args: process.env.CI ? file : [...file, "-NoPath"],
    flags: { prefix: "-Prefix", version: "-Version", remove: "-Uninstall" },
  }));
}

/** The PATH that Windows keeps for the user, and what else it keeps. */
async function kept(env) {
  return windows ? (await run("reg", ["query", "HKCU\\Environment"], { env })).replace(/REG_(EXPAND_)?SZ/g, "") : "";
}

/** What a host of releases may do wrong, with the exit codes that tell of it: an installer leaves what is there as it is. */
function troubles(name, version) {
  const at = `/download/v${version}/${name}`;
  const sums = `/download/v${version}/SHA256SUMS`;
  const put = (path, text) => (files) => void files.set(path, Buffer.from(text));
  const short = (files) => files.get(at).subarray(0, -100);
  return [
    ["a wrong checksum", [6], put(sums, `${"1".repeat(64)}  ${name}\n`)],
    ["checksums of something else", [6], put(sums, `${"1".repeat(64)}  other\n`)],
    ["no checksums", [1], (files) => void files.delete(sums)],
    ["no archive", [1], (files) => void files.delete(at)],
    ["no latest version", [1], (files) => void files.delete("/latest/download/VERSION")],
    ["a latest version that is none", [6], put("/latest/download/VERSION", "<html>")],
    ["an archive that lacks its end", [6], (files) => void files.set(at, short(files))],
    [
      "a connection that is cut",
      // Some libraries do not tell: then the checksum does.
      [1, 6],
      (files) => {
        const [bytes, length] = [short(files), files.get(at).length];
        files.set(at, (_, response) => {
          response.writeHead(200, { "content-length": length });
          response.write(bytes, () => response.socket.destroy());
        });
      },
    ],
    [
      "an archive that is none",
      [1],
      (files) => {
        files.set(at, Buffer.from("no archive"));
        files.set(sums, Buffer.from(`${sha256(files.get(at))}  ${name}\n`));
      },
    ],
    ["a server that breaks", [1], (files) => void files.set(at, (_, response) => response.writeHead(501).end())],
  ];
}

/** Runs an installer into each kind of trouble: it says what is wrong, why and what to try, with this exit code, and changes nothing. */
async function refuses(server, { program, args, flags }, name, version, prefix, env) {
  const before = tree(prefix);
  const attempt = async (what, codes, more = []) => {
    const failed = await run(program, [...args, flags.prefix, prefix, ...more], { env, seconds: 180 }).then(
      () => ({ exit: 0, message: "exit code 0" }),
      (error) => error,
    );
    if (!(failed.exit === 0 || failed instanceof Complaint)) throw failed;
    if (interrupted) throw failed;
    expect(codes.includes(failed.exit), `with ${what} it should end with ${codes.join(" or ")}: ${failed.message}`);
    expect(/error: .+\s+because: .+\s+try: /.test(failed.message), `of ${what} it says: ${failed.message}`);
    const after = tree(prefix);
    expect(JSON.stringify(after) === JSON.stringify(before), `with ${what} it changed what was there`);
  };
  for (const [what, codes, spoil] of troubles(name, version)) {
    const whole = new Map(server.files);
    spoil(server.files);
    await attempt(what, codes);
    server.files.clear();
    for (const [path, file] of whole) server.files.set(path, file);
  }
  await attempt("a version that is none", [2], [flags.version, "1/2"]);
  await attempt("a version that does not exist", [1], [flags.version, "7.7.7"]);
}

/** Installs, installs again above an instance that runs, fails where it should, and removes what was installed, and nothing else. */
async function installs(server, name, version, work, env) {
  const prefix = join(work, "installed");
  const odd = join(prefix, "bin", windows ? "odd.exe" : "odd");
  const own = { env: { ...env, ODD_INSTALL_BASE_URL: server.base }, seconds: 180 };
  for (const installer of installers()) {
    const { name: called, program, args, flags } = installer;
    const here = [...args, flags.prefix, prefix];
    const before = await kept(env);
    await run(program, here, own);
    await runs(odd, version, env);
    try {
      await run(odd, ["up", "--engine", "embedded"], own);
      await run(program, here, own);
    } finally {
      await run(odd, ["down", "--volumes", "--yes"], { ...own, anyway: true });
    }
    await runs(odd, version, env);
    await refuses(server, installer, name, version, prefix, own.env);
    await run(program, [...here, flags.remove], own);
    expect(!existsSync(odd), `${odd} is still there`);
    expect((await kept(env)) === before, `the environment of the user is not as it was before:\n${before}`);
    passed(`${called} installs, also while it runs, changes nothing where it fails, and removes it`);
  }
}

async function main([releases, target, ...more]) {
  if (!releases || !TARGETS.includes(target) || more.length > 0)
    throw new Complaint(2, `usage: node scripts/test-archive.mjs RELEASES TARGET; targets are ${TARGETS.join(", ")}`);
  const from = resolve(releases);
  for (const needed of ["VERSION", "SHA256SUMS"])
    if (!existsSync(join(from, needed)))
      throw new Complaint(3, `there is no ${needed} in ${from}: scripts/archive.sh writes it`);
  const version = readFileSync(join(from, "VERSION"), "utf8").trim();
  const name = `odd-${version}-${target}.${target.startsWith("windows") ? "zip" : "tar.gz"}`;
  const work = mkdtempSync(join(tmpdir(), "odd-archive-"));
  // Windows lets go of a program that has just ended a little later.
  shared.after(() => rmSync(work, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));
  const env = environment(work, await portOffset());
  verified(from, name);
  await unpacked(join(from, name), work, env);
  const folder = join(work, `odd-${version}-${target}`);
  const program = windows ? "odd.exe" : "odd";
  complete(folder, program);
  const odd = join(folder, program);
  await runs(odd, version, env);
  await keepsItsPromise(odd, env);
  await installs(await host(from, name, version), name, version, work, env);
}

// What runs ends, and with it the rest: an instance that was started is stopped by what catches that.
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    interrupted = true;
    if (child) kill(child);
  });

main(process.argv.slice(2)).catch((error) => {
  const told = error instanceof Complaint;
  process.stderr.write(`${told ? error.message : error.stack}\n`);
  process.exit(told ? error.code : 1);
});
