// scripts/test-archive.mjs: it passes what scripts/archive.sh makes of the real binary, and finds each thing that is wrong with an archive.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { binary, folder, root, run, sha256, shared, standIn, start, target, tree, until, version } from "./support.mjs";

const name = `odd-${version}-${target}`;
const built = binary(folder(shared));
const releases = folder(shared);
const made = await run([join(root, "scripts/archive.sh"), built, target, releases]);
assert.equal(made.code, 0, made.stderr);

const begun = (t, at, tmp) =>
  start(["node", join(root, "scripts/test-archive.mjs"), at, target], { env: { ...process.env, TMPDIR: tmp } });

/** Tests the releases of a folder; answers also what that leaves behind. */
async function tested(t, at) {
  const tmp = folder(t);
  const done = await begun(t, at, tmp).ended;
  return { ...done, left: tree(tmp) };
}

/** A release whose folder was changed, and that says of itself that it is whole. Its binary, which takes its time to pack, ends with 9. */
function changed(t, change) {
  const at = folder(t);
  cpSync(releases, at, { recursive: true });
  const archive = join(at, `${name}.tar.gz`);
  const packed = (...args) => assert.equal(spawnSync("tar", args, { cwd: at }).status, 0);
  packed("-xzf", archive);
  writeFileSync(join(at, name, "odd"), "#!/bin/sh\nexit 9\n");
  change(join(at, name));
  packed("-czf", archive, name);
  writeFileSync(join(at, "SHA256SUMS"), `${sha256(readFileSync(archive))}  ${name}.tar.gz\n`);
  return at;
}

test("the archive of the real binary passes, and nothing is left", async (t) => {
  const done = await tested(t, releases);
  assert.equal(done.code, 0, done.stderr);
  for (const what of [
    "SHA256SUMS",
    "manual pages",
    "odd submit hello --count 100 --wait",
    "odd verify",
    "odd test",
    "odd down",
  ])
    assert.ok(done.stdout.includes(what), what);
  assert.match(done.stdout, /install\.sh installs, also while it runs, changes nothing where it fails, and removes it/);
  assert.deepEqual(done.left, {});
});

test("an archive that is not what SHA256SUMS says is not unpacked", async (t) => {
  const at = folder(t);
  cpSync(releases, at, { recursive: true });
  appendFileSync(join(at, `${name}.tar.gz`), "more");
  const done = await tested(t, at);
  assert.equal(done.code, 6);
  assert.match(done.stderr, /SHA256SUMS does not say/);
  assert.equal(done.stdout, "");
});

test("a folder without checksums is no release", async (t) => {
  const at = folder(t);
  cpSync(releases, at, { recursive: true });
  rmSync(join(at, "SHA256SUMS"));
  const done = await tested(t, at);
  assert.equal(done.code, 3, done.stderr);
  assert.match(done.stderr, /^there is no SHA256SUMS in .*: scripts\/archive\.sh writes it\n$/);
});

for (const [what, change, message] of [
  [
    "with notices of nobody",
    (at) => writeFileSync(join(at, "THIRD-PARTY-NOTICES.txt"), "tokio\n"),
    /the notices do not tell of preact/,
  ],
  ["without a licence", (at) => rmSync(join(at, "LICENSE")), /the archive has README\.md, .* and should have LICENSE/],
  ["with a file more", (at) => writeFileSync(join(at, "notes"), ""), /the archive has .*notes/],
  ["without a manual page", (at) => rmSync(join(at, "man/odd-up.1")), /the manual page odd-up\.1 is missing/],
  ["with an empty manual page", (at) => writeFileSync(join(at, "man/odd-up.1"), ""), /odd-up\.1 is no manual page/],
  ["with empty completions", (at) => writeFileSync(join(at, "completions/_odd"), ""), /_odd does not know odd submit/],
  ["with a binary of another version", (at) => standIn(join(at, "odd"), "7.7.7"), /it is 7\.7\.7, and VERSION says/],
  ["with a binary that does not run", () => {}, /odd version --output text: exit code 9/],
]) {
  test(`an archive ${what} is refused`, async (t) => {
    const done = await tested(t, changed(t, change));
    assert.equal(done.code, 6, done.stderr);
    assert.match(done.stderr, message);
    assert.deepEqual(done.left, {});
  });
}

/** A binary that notes what it is asked for, and does something else of one thing. */
function witness(at, log, command, instead) {
  const script = `#!/bin/sh\necho "$*" >>'${log}/calls'\ncase $1 in ${command}) ${instead} ;; esac\nexec '${built}' "$@"\n`;
  writeFileSync(join(at, "odd"), script);
  chmodSync(join(at, "odd"), 0o755);
}

test("an instance whose promise is broken fails the test, and is stopped", async (t) => {
  const log = folder(t);
  const done = await tested(
    t,
    changed(t, (at) => witness(at, log, "verify", "echo 1 lost; exit 6")),
  );
  assert.equal(done.code, 6);
  assert.match(done.stderr, /verify: exit code 6\n1 lost/);
  assert.match(readFileSync(join(log, "calls"), "utf8"), /^up .*\nsubmit .*\nverify\ndown --volumes --yes\n$/m);
  assert.deepEqual(done.left, {});
});

/** Begins a test, and interrupts it once its binary was asked for something. */
async function interrupted(t, { at, log, tmp, once }) {
  const { child, ended } = begun(t, at, tmp);
  // Whatever is left of its session.
  t.after(() => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      /* nothing is */
    }
  });
  await until(`it is asked ${once}`, () =>
    once.test(readFileSync(join(log, "calls"), { encoding: "utf8", flag: "a+" })),
  );
  child.kill("SIGTERM");
  return ended;
}

test("interrupted, it stops the instance that it started, whoever holds the pipes of what was killed", async (t) => {
  const [log, tmp] = [folder(t), folder(t)];
  const at = changed(t, (into) => witness(into, log, "submit", "sleep 300 & wait"));
  const done = await interrupted(t, { at, log, tmp, once: /^submit /m });
  assert.equal(done.code, 130, done.stderr);
  assert.match(done.stderr, /submit hello .*: interrupted/);
  assert.match(readFileSync(join(log, "calls"), "utf8"), /\ndown --volumes --yes\n$/);
  assert.deepEqual(tree(tmp), {});
});

test("interrupted in the installer, it says so", async (t) => {
  const [log, tmp] = [folder(t), folder(t)];
  const installs = `[ ! -f '${log}/tested' ] || { echo installs >>'${log}/calls'; exec sleep 300; }`;
  const rest = `up | submit | verify | test) exit 0 ;; down) touch '${log}/tested'; exit 0`;
  const at = changed(t, (into) => witness(into, log, "version", `${installs} ;; ${rest}`));
  const done = await interrupted(t, { at, log, tmp, once: /^installs$/m });
  assert.equal(done.code, 130, done.stderr);
  assert.match(done.stderr, /install\.sh .*: interrupted/);
});
