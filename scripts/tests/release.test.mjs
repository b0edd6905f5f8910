// scripts/pack.sh and scripts/npm-publish.mjs: a release of binaries, and its packages on a registry.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run, sha256, shared, standIn, version, which } from "./support.mjs";

const targets = ["linux-arm64", "linux-x64", "macos-arm64", "macos-x64", "windows-x64"];
const launcher = "@oddessentials/odd";
const own = folder(shared);
const env = { ...process.env, npm_config_cache: join(own, "cache"), npm_config_update_notifier: "false" };

/** Binaries of which only that for Linux x64 runs here. */
function binaries(into, names = targets) {
  for (const name of names) {
    mkdirSync(join(into, name));
    const path = join(into, name, name === "windows-x64" ? "odd.exe" : "odd");
    if (name === "linux-x64") standIn(path, version);
    else writeFileSync(path, `of ${name}`);
  }
  return into;
}

const pack = (from, to) => run([join(root, "scripts/pack.sh"), from, to], { env });

// Archives for Windows take it, and a machine without it has none of this.
assert.ok(which("zip"), "zip is not installed, which archives for Windows are made with");
const made = await pack(binaries(folder(shared)), own);
assert.equal(made.code, 0, made.stderr);
const tarballs = readdirSync(join(own, "npm"));

test("a release has the archives, their checksums, the bill of materials and the installers", () => {
  const archives = targets.map((each) => `odd-${version}-${each}.${each === "windows-x64" ? "zip" : "tar.gz"}`);
  const listed = [...archives, `odd-${version}.spdx.json`, "THIRD-PARTY-NOTICES.txt", "install.ps1", "install.sh"];
  assert.deepEqual(readdirSync(join(own, "release")).sort(), [...listed, "SHA256SUMS", "VERSION"].sort());
  const lines = readFileSync(join(own, "release/SHA256SUMS"), "utf8").trim().split("\n");
  const sums = listed.map((name) => `${sha256(readFileSync(join(own, "release", name)))}  ${name}`);
  assert.deepEqual(lines.sort(), sums.sort());
  assert.equal(tarballs.length, 6);
  assert.deepEqual(readdirSync(own).sort(), ["cache", "npm", "release"]);
});

test("without a binary that runs here, or with a folder that has none, there is no release", async (t) => {
  const none = await pack(binaries(folder(t), ["macos-x64"]), folder(t));
  assert.equal(none.code, 3);
  assert.match(none.stderr, /none of the binaries .* runs here/);
  const from = binaries(folder(t), ["linux-x64", "macos-x64"]);
  rmSync(join(from, "macos-x64/odd"));
  const lacking = await pack(from, folder(t));
  assert.equal(lacking.code, 3);
  assert.match(lacking.stderr, /there is no binary .*macos-x64\/odd/);
});

/** A registry that takes packages, as npm sends them. `refuse` tells which not. */
async function registry(t) {
  const state = { packages: new Map(), taken: [], tags: {}, refuse: () => false };
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url.slice(1).split("?")[0]);
    const answer = (code, body) =>
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.method !== "PUT")
      return state.packages.has(name) ? answer(200, state.packages.get(name)) : answer(404, { error: "not found" });
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      if (state.refuse(name)) return answer(500, { error: "not now" });
      const sent = JSON.parse(Buffer.concat(parts));
      state.packages.set(name, sent);
      state.taken.push(name);
      Object.assign(state.tags, sent["dist-tags"]);
      return answer(201, { ok: true });
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  const npmrc = join(folder(t), "npmrc");
  writeFileSync(npmrc, `registry=http://127.0.0.1:${port}/\n//127.0.0.1:${port}/:_authToken=token\n`);
  const theirs = { ...env, npm_config_userconfig: npmrc, npm_config_fetch_retries: "0", ODD_PUBLISH_TIMEOUT: "5" };
  state.publish = (at, options) => run(["node", join(root, "scripts/npm-publish.mjs"), at], { env: theirs, ...options });
  return state;
}

/** Changes what a packed package says of itself. */
function repacked(at, name, change) {
  const tar = (...args) => assert.equal(spawnSync("tar", args, { cwd: at }).status, 0);
  tar("-xzf", name);
  const path = join(at, "package/package.json");
  const [before, after] = [readFileSync(path, "utf8"), change(readFileSync(path, "utf8"))];
  assert.notEqual(after, before);
  writeFileSync(path, after);
  tar("-czf", name, "package");
  rmSync(join(at, "package"), { recursive: true });
}

test("the launcher is published last, and once; another of the same version is refused", async (t) => {
  const to = await registry(t);
  // As the workflow does: npm would take `npm/x.tgz` for a repository of GitHub.
  const done = await to.publish("npm", { cwd: own });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(to.taken.length, 6);
  assert.equal(to.taken.at(-1), launcher);
  assert.deepEqual(to.tags, { latest: version });
  const again = await to.publish(join(own, "npm"));
  assert.equal(again.code, 0, again.stderr);
  assert.equal(to.taken.length, 6);
  assert.equal(again.stdout.match(/is published already/g).length, 6);

  const at = folder(t);
  cpSync(join(own, "npm"), at, { recursive: true });
  repacked(
    at,
    tarballs.find((name) => name.includes("linux-arm64")),
    (text) => text.replace('"description": "', "$&Another. "),
  );
  const other = await to.publish(at);
  assert.equal(other.code, 6);
  assert.match(other.stderr, /odd-linux-arm64 .* is published as sha512-.*release another version/);
  assert.equal(to.taken.length, 6);
});

test("where it ended, it goes on", async (t) => {
  const to = await registry(t);
  to.refuse = (name) => name.endsWith("linux-x64");
  const done = await to.publish(join(own, "npm"));
  assert.equal(done.code, 1, done.stderr);
  assert.match(done.stderr, /odd-linux-x64 .* could not be published/);
  assert.ok(!to.taken.includes(launcher));
  to.refuse = () => false;
  assert.equal((await to.publish(join(own, "npm"))).code, 0);
  assert.deepEqual([...new Set(to.taken)].length, to.taken.length);
  assert.equal(to.taken.at(-1), launcher);
});

test("where a platform is missing, nothing is published", async (t) => {
  const to = await registry(t);
  const at = folder(t);
  for (const name of tarballs) if (!name.includes("win32")) cpSync(join(own, "npm", name), join(at, name));
  const done = await to.publish(at);
  assert.equal(done.code, 6);
  assert.match(done.stderr, /lacks @oddessentials\/odd-win32-x64/);
  assert.deepEqual(to.taken, []);
});

test("without a folder, that is told", async (t) => {
  const to = await registry(t);
  const done = await to.publish(join(folder(t), "npm"));
  assert.equal(done.code, 3);
  assert.match(done.stderr, /^there is no .*npm: scripts\/pack\.sh makes it, as OUTDIR\/npm\n$/);
});

test("a version before a version is not the latest", async (t) => {
  const to = await registry(t);
  const at = folder(t);
  for (const name of tarballs) {
    cpSync(join(own, "npm", name), join(at, name));
    repacked(at, name, (text) => text.replaceAll(`"${version}"`, '"1.0.0-rc.1"'));
  }
  const done = await to.publish(at);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(to.tags, { next: "1.0.0-rc.1" });
});
