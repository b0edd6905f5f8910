// The packages of npm: packed, installed from files and from a registry on this machine, and run.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import {
  binary,
  folder,
  portOffset,
  root,
  run,
  serve,
  shared,
  standIn,
  start,
  target,
  until,
  version,
  which,
} from "./support.mjs";

const platform = `${process.platform}-${process.arch}`;
const work = folder(shared);

/** Nothing of this machine's npm: a cache of its own, no configuration, a registry that nobody answers at. */
const env = {
  PATH: process.env.PATH,
  HOME: join(work, "home"),
  npm_config_cache: join(work, "cache"),
  npm_config_userconfig: join(work, "npmrc"),
  npm_config_globalconfig: join(work, "global-npmrc"),
  npm_config_registry: "http://127.0.0.1:1/",
  npm_config_update_notifier: "false",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_fetch_retries: "0",
};
mkdirSync(env.HOME);

function npm(args, options = {}) {
  return run(["npm", ...args], { env, ...options });
}

// The packages: this platform's with the real binary, the others with stand-ins, which no machine of this kind may get.
const made = join(work, "made");
const stub = join(work, "stub");
standIn(stub, version);
const targets = ["linux-x64", "linux-arm64", "macos-x64", "macos-arm64", "windows-x64"];
const binaries = targets.map((each) => `${each}=${each === target ? binary(work) : stub}`);
const notices = join(work, "notices");
writeFileSync(notices, "of others\n");
const written = await run(["node", join(root, "scripts/npm-packages.mjs"), made, notices, ...binaries]);
assert.equal(written.code, 0, written.stderr);
const folders = written.stdout.trim().split("\n");
const packed = await npm(["pack", "--json", "--pack-destination", work, ...folders]);
assert.equal(packed.code, 0, packed.stderr);
const tarballs = Object.fromEntries(
  JSON.parse(packed.stdout).map((each) => [each.name, { ...each, path: join(work, basename(each.filename)) }]),
);
const launcher = "@oddessentials/odd";
const own = `${launcher}-${platform}`;

/** An empty project. */
function project(t) {
  const at = folder(t);
  writeFileSync(join(at, "package.json"), '{ "name": "empty", "private": true }\n');
  return at;
}

async function installed(at, ...args) {
  const done = await npm(["install", "--ignore-scripts", ...args], { cwd: at });
  assert.equal(done.code, 0, done.stdout + done.stderr);
  return at;
}

const fromFiles = ["--offline", tarballs[launcher].path, tarballs[own].path];
const ready = await installed(project(shared), ...fromFiles);
const odd = join(ready, "node_modules/.bin/odd");

test("the packages hold what they should, and nothing runs at installation", () => {
  assert.deepEqual(tarballs[launcher].files.map((file) => file.path).sort(), [
    "LICENSE",
    "README.md",
    "bin/odd.js",
    "package.json",
  ]);
  assert.equal(Object.keys(tarballs).length, 6);
  for (const [name, { files }] of Object.entries(tarballs)) {
    if (name === launcher) continue;
    const program = name.includes("win32") ? "bin/odd.exe" : "bin/odd";
    assert.deepEqual(files.map((file) => file.path).sort(), [
      "LICENSE",
      "README.md",
      "THIRD-PARTY-NOTICES.txt",
      program,
      "package.json",
    ]);
    assert.equal(files.find((file) => file.path === program).mode & 0o111, 0o111);
  }
  for (const each of folders) {
    const described = JSON.parse(readFileSync(join(each, "package.json"), "utf8"));
    assert.equal(described.version, version);
    assert.equal(described.scripts, undefined);
    if (described.name === launcher) continue;
    const [os, ...more] = described.os;
    const [cpu, ...others] = described.cpu;
    assert.equal(`${launcher}-${os}-${cpu}`, described.name);
    // Windows 11 on ARM runs programs for x64.
    assert.deepEqual([more, others], [[], os === "win32" ? ["arm64"] : []]);
  }
});

test("installed in a project, npx runs it", async () => {
  const done = await run(["npx", "--no-install", "odd", "version"], { env, cwd: ready });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout.split("\n")[0].split(/\s+/)[1], version);
});

test("installed globally, it is on the PATH", async (t) => {
  const prefix = folder(t);
  await installed(prefix, "--global", "--prefix", prefix, ...fromFiles);
  const done = await run([join(prefix, "bin/odd"), "version"], { env });
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /^odd {2}/);
});

test("arguments, input, output and the exit code are those of the binary", async () => {
  const args = ["contracts", "validate", "-"];
  const options = { env, input: "{}" };
  const [through, direct] = [await run([odd, ...args], options), await run([binary(work), ...args], options)];
  assert.deepEqual(through, direct);
  const unknown = await run([odd, "no such command"], { env });
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no such command/);
});

/** `odd serve all`, once it answers. */
async function serving(t) {
  const offset = await portOffset();
  const running = start([odd, "serve", "all", "--port-offset", offset], { env: { ...env, ODD_HOME: folder(t) } });
  t.after(() => {
    // Its whole session, the binary included.
    try {
      process.kill(-running.child.pid, "SIGKILL");
    } catch {
      /* has ended */
    }
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${3000 + Number(offset)}/healthz`).then(
      (response) => response.ok,
      () => false,
    );
  await until("the gateway answers", async () => running.child.exitCode !== null || (await answers()));
  assert.ok(await answers(), running.output.stderr);
  return { ...running, answers };
}

for (const [signal, code, end] of [
  ["SIGINT", 0, null],
  ["SIGTERM", 0, null],
  ["SIGHUP", null, "SIGHUP"],
  ["SIGQUIT", null, "SIGQUIT"],
]) {
  test(`${signal} to the launcher reaches the binary, and the launcher ends as that does`, async (t) => {
    const { child, ended, answers } = await serving(t);
    child.kill(signal);
    const done = await ended;
    assert.deepEqual([done.code, done.signal], [code, end], done.stderr);
    assert.ok(!(await answers()));
  });
}

test("Ctrl-C in a terminal is one signal to the binary, not a second one from the launcher", async (t) => {
  if (process.platform !== "linux" || !which("script"))
    return t.skip("there is no script here, which gives a terminal");
  // In place of the binary one that tells by its exit code how often it was interrupted: odd ends at once when it is twice.
  const at = folder(t);
  cpSync(join(ready, "node_modules", launcher), join(at, "node_modules", launcher), { recursive: true });
  mkdirSync(join(at, "node_modules", own, "bin"), { recursive: true });
  const counts = `#!/usr/bin/env node
let count = 0;
process.on('SIGINT', () => count++ || setTimeout(() => process.exit(10 + count), 500));
setInterval(() => {}, 1000);
console.log('ready');
`;
  writeFileSync(join(at, "node_modules", own, "bin/odd"), counts, { mode: 0o755 });
  const started = join(at, "node_modules", launcher, "bin/odd.js");
  const { child, output, ended } = start(
    ["script", "--quiet", "--return", "--command", `exec ${started}`, "/dev/null"],
    { env, open: true },
  );
  await until("it is ready", () => output.stdout.includes("ready"));
  child.stdin.write("\x03");
  const done = await ended;
  assert.equal(done.code, 11, done.stdout);
});

test("a binary that is killed is told as such", async (t) => {
  if (process.platform !== "linux") return t.skip("only Linux tells the children of a process in a file");
  const { child, ended } = await serving(t);
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  process.kill(Number(children), "SIGKILL");
  assert.equal((await ended).signal, "SIGKILL");
});

/** A registry with all six packages. */
async function registry(t) {
  const server = await serve(t);
  for (const [name, each] of Object.entries(tarballs)) {
    const bytes = readFileSync(each.path);
    const described = JSON.parse(readFileSync(join(made, name.replace("@oddessentials/", ""), "package.json"), "utf8"));
    const dist = {
      tarball: `${server.base}/${each.filename}`,
      integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
    };
    const document = { name, "dist-tags": { latest: version }, versions: { [version]: { ...described, dist } } };
    server.files.set(`/${name.replace("/", "%2f")}`, Buffer.from(JSON.stringify(document)));
    server.files.set(`/${each.filename}`, bytes);
  }
  return server;
}

test("from a registry npm takes the package of this platform and no other, then again without the network", async (t) => {
  const server = await registry(t);
  const at = await installed(project(t), "--registry", server.base, launcher);
  assert.deepEqual(readdirSync(join(at, "node_modules/@oddessentials")).sort(), ["odd", own.split("/")[1]]);
  const done = await run([join(at, "node_modules/.bin/odd"), "version"], { env });
  assert.equal(done.code, 0, done.stderr);
  // The lock file is for machines of every kind.
  const lock = JSON.parse(readFileSync(join(at, "package-lock.json"), "utf8"));
  assert.equal(Object.keys(lock.packages).length, 7);

  rmSync(join(at, "node_modules"), { recursive: true });
  server.files.clear();
  const again = await npm(["ci", "--ignore-scripts", "--offline", "--registry", server.base], { cwd: at });
  assert.equal(again.code, 0, again.stderr);
  assert.equal((await run([join(at, "node_modules/.bin/odd"), "version"], { env })).code, 0);
});

test("without the optional dependency it says what is missing, why, and what to do", async (t) => {
  const server = await registry(t);
  const at = await installed(project(t), "--registry", server.base, "--omit=optional", launcher);
  assert.ok(!existsSync(join(at, "node_modules", own)));
  const done = await run([join(at, "node_modules/.bin/odd"), "version"], { env });
  assert.equal(done.code, 3);
  assert.equal(done.stdout, "");
  assert.match(
    done.stderr,
    new RegExp(
      `^error: the package ${own} is not installed.*\n {2}because: .*--omit=optional.*copied.*\n {2}try: npm install`,
    ),
  );
});

test("npm refuses the package of another platform", async (t) => {
  const foreign = Object.keys(tarballs).find((name) => name !== launcher && !name.includes(process.platform));
  const done = await npm(["install", "--offline", tarballs[foreign].path], { cwd: project(t) });
  assert.notEqual(done.code, 0);
  assert.match(done.stderr, /EBADPLATFORM/);
});

test("on a platform that odd is not built for, the launcher names those that it is", async (t) => {
  const pretend = join(folder(t), "pretend.cjs");
  writeFileSync(pretend, "Object.defineProperty(process, 'platform', { value: 'sunos' });\n");
  const done = await run(
    ["node", "--require", pretend, join(ready, "node_modules", launcher, "bin/odd.js"), "version"],
    { env },
  );
  assert.equal(done.code, 3);
  assert.match(
    done.stderr,
    /it is sunos-.*, and odd is built for darwin-arm64, darwin-x64, linux-arm64, linux-x64, win32-x64/,
  );
});

for (const arch of ["x64", "arm64"])
  test(`a node_modules of another machine is told as such, there Windows on ${arch}`, async (t) => {
    const pretend = join(folder(t), "pretend.cjs");
    writeFileSync(
      pretend,
      `Object.defineProperty(process, "platform", { value: "win32" });\nObject.defineProperty(process, "arch", { value: "${arch}" });\n`,
    );
    const done = await run(
      ["node", "--require", pretend, join(ready, "node_modules", launcher, "bin/odd.js"), "version"],
      { env },
    );
    assert.equal(done.code, 3);
    assert.match(done.stderr, /odd-win32-x64 is not installed/);
  });

test("the packages are not written of versions that disagree or of binaries that are not there", async (t) => {
  for (const [args, code] of [
    [[], 2],
    [[notices], 2],
    [[notices, "plan9-x64=/bin/sh"], 2],
    [[notices, `${target}=/nowhere`], 3],
    [["/nowhere", `${target}=/bin/sh`], 3],
  ]) {
    const done = await run(["node", join(root, "scripts/npm-packages.mjs"), folder(t), ...args]);
    assert.equal(done.code, code, done.stderr);
  }
});
