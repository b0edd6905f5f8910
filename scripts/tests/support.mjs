// What the tests of what is released share: the binary, folders of a test's own, programs that are run, a host of releases.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

export const version = /^version = "(.+)"$/m.exec(
  readFileSync(join(root, "Cargo.toml"), "utf8").split("[workspace.package]")[1],
)[1];

/** The target of this machine, as archives are called. */
export const target = `${{ linux: "linux", darwin: "macos" }[process.platform]}-${process.arch}`;

/** In place of a test: what all tests of a file share. It goes with the process, however that ends. */
export const shared = {
  after: (cleanup) => process.on("exit", cleanup),
};

/** A folder that goes with the test. Open to all, since some programs run as nobody. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "odd-test-"));
  chmodSync(path, 0o755);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The real binary, without what only debuggers read, which takes its time to pack. */
export function binary(into) {
  const built = process.env.ODD_TEST_BINARY || resolve(root, process.env.CARGO_TARGET_DIR || "target", "debug/odd");
  if (!existsSync(built)) throw new Error(`there is no ${built}: cargo build -p odd, or ODD_TEST_BINARY`);
  const path = join(into, "odd");
  // On macOS that takes its signature, too.
  if (process.platform !== "linux" || spawnSync("strip", ["-o", path, built]).status !== 0) copyFileSync(built, path);
  chmodSync(path, 0o755);
  return path;
}

/** Where a program is; null where it is not. */
export function which(program) {
  const places = (process.env.PATH ?? "").split(delimiter).map((place) => join(place, program));
  return places.find((place) => existsSync(place)) ?? null;
}

/** Starts a program, in a session of its own: a terminal's signals are none of its business. Its input is `input`, or stays `open`. */
export function start(command, options = {}) {
  const child = spawn(command[0], command.slice(1), { detached: true, stdio: ["pipe", "pipe", "pipe"], ...options });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => (output.stdout += data));
  child.stderr.on("data", (data) => (output.stderr += data));
  // A program may end before it has read all.
  child.stdin.on("error", () => {});
  if (!options.open) child.stdin.end(options.input ?? "");
  // What hangs fails its test, and not the run.
  const deadline = setTimeout(() => child.pid && process.kill(-child.pid, "SIGKILL"), (options.seconds ?? 90) * 1000);
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...output }));
  }).finally(() => clearTimeout(deadline));
  return { child, output, ended };
}

/** Runs a program to its end. */
export function run(command, options = {}) {
  return start(command, options).ended;
}

/** Waits for a state, never for a time. */
export async function until(what, holds, seconds = 30) {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

/** Every path below a folder with what is there. */
export function tree(path, prefix = "") {
  if (!existsSync(path)) return {};
  const found = {};
  for (const name of readdirSync(path).sort()) {
    const there = join(path, name);
    const status = lstatSync(there);
    if (status.isDirectory())
      Object.assign(found, { [`${prefix}${name}/`]: "directory" }, tree(there, `${prefix}${name}/`));
    else if (status.isSymbolicLink()) found[prefix + name] = readlinkSync(there);
    else found[prefix + name] = `${(status.mode & 0o777).toString(8)} ${sha256(readFileSync(there))}`;
  }
  return found;
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A program that says that it is odd, where it does not matter that it is not. */
export function standIn(path, says) {
  writeFileSync(
    path,
    `#!/bin/sh
case $1 in
version) echo "odd        ${says}" ;;
completions) echo "completions of ${says} for $2" ;;
man) for page in odd odd-up odd-of-${says}; do echo "page of ${says}" >"$3/$page.1"; done ;;
esac
`,
  );
  chmodSync(path, 0o755);
}

/** A server of what `files` holds: by path, bytes or a function that answers. */
export async function serve(t) {
  const files = new Map();
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    const file = files.get(request.url);
    if (file === undefined) response.writeHead(404).end("not here");
    else if (typeof file === "function") file(request, response);
    else
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": file.length }).end(file);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // One that tests share must not keep the process.
  server.unref();
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { files, asked, base: `http://127.0.0.1:${server.address().port}` };
}

/** An offset under which every role has a free port. */
export async function portOffset() {
  const free = (port) =>
    new Promise((resolve) => {
      const server = listen();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  for (;;) {
    const offset = 10_000 + Math.floor(Math.random() * 12_000);
    const all = await Promise.all([3000, 3010, 3020, 8080, 8081].map((port) => free(port + offset)));
    if (all.every(Boolean)) return String(offset);
  }
}

/** A release as scripts/archive.sh leaves it, of a stand-in unless a binary is given; answers its name. */
export async function release(into, number, says = number, extra = undefined) {
  const name = `odd-${number}-${target}`;
  const at = join(into, name);
  mkdirSync(join(at, "completions"), { recursive: true });
  mkdirSync(join(at, "man"), { recursive: true });
  standIn(join(at, "odd"), says);
  for (const file of ["odd.bash", "_odd", "odd.fish"])
    writeFileSync(join(at, "completions", file), `${file} of ${number}\n`);
  for (const page of ["odd", "odd-up", `odd-of-${number}`])
    writeFileSync(join(at, "man", `${page}.1`), `${page} of ${number}\n`);
  // Room that it takes, for where there is none.
  if (extra) writeFileSync(join(at, "completions/_odd"), extra);
  const packed = spawnSync("tar", ["-czf", `${name}.tar.gz`, name], { cwd: into });
  if (packed.status !== 0) throw new Error(String(packed.stderr));
  rmSync(at, { recursive: true });
  return `${name}.tar.gz`;
}
