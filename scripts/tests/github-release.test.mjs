// scripts/github-release.sh, with something in place of `gh` that keeps a release in a folder: in which order it asks for what, and what it
// never does to a release that is published.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run } from "./support.mjs";

const gh = `#!/bin/sh
# release COMMAND TAG …: state is the file draft or published, uploaded files are in files/
set -eu
command=$2 tag=$3
shift 3
echo "$command $tag $*" >>"$STATE/calls"
case $command in
view)
    if [ -f "$STATE/outage" ]; then cat "$STATE/outage" >&2; exit 1; fi
    if [ -f "$STATE/published" ]; then echo false; elif [ -f "$STATE/draft" ]; then echo true; else echo "release not found" >&2; exit 1; fi ;;
create) touch "$STATE/draft" ;;
edit) case "$*" in *--draft=false*) mv "$STATE/draft" "$STATE/published" ;; esac ;;
upload) [ "$1" = --clobber ]; shift; cp "$@" "$STATE/files" ;;
download) cat "$STATE/files/SHA256SUMS" ;;
esac
`;

function site(t) {
  const [state, bin, release] = [folder(t), folder(t), folder(t)];
  mkdirSync(join(state, "files"));
  writeFileSync(join(bin, "gh"), gh);
  chmodSync(join(bin, "gh"), 0o755);
  for (const name of ["SHA256SUMS", "VERSION", "odd.tar.gz"]) writeFileSync(join(release, name), `first ${name}\n`);
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, STATE: state };
  const script = join(root, "scripts/github-release.sh");
  return {
    state,
    release,
    draft: (tag = "v1.2.3") => run([script, "draft", tag, release, join(release, "VERSION")], { env }),
    publish: (tag = "v1.2.3") => run([script, "publish", tag], { env }),
    calls: () => readFileSync(join(state, "calls"), "utf8"),
  };
}

test("a draft has every file, and is published as the latest", async (t) => {
  const at = site(t);
  const done = await at.draft();
  assert.equal(done.code, 0, done.stderr);
  assert.match(at.calls(), /^create v1\.2\.3 --draft --verify-tag --title odd 1\.2\.3 --notes-file \S+$/m);
  assert.deepEqual(readdirSync(join(at.state, "files")), ["SHA256SUMS", "VERSION", "odd.tar.gz"]);
  assert.ok(!existsSync(join(at.state, "published")));
  assert.equal((await at.publish()).code, 0);
  assert.match(at.calls(), /^edit v1\.2\.3 --draft=false --latest$/m);
});

test("a draft that is there gets the files of now", async (t) => {
  const at = site(t);
  assert.equal((await at.draft()).code, 0);
  writeFileSync(join(at.release, "odd.tar.gz"), "second\n");
  assert.equal((await at.draft()).code, 0);
  assert.equal(at.calls().match(/^create/gm).length, 1);
  assert.equal(readFileSync(join(at.state, "files/odd.tar.gz"), "utf8"), "second\n");
});

test("nothing of what is published is replaced; another release of the same tag is refused", async (t) => {
  const at = site(t);
  await at.draft();
  await at.publish();
  const before = at.calls().match(/^upload/gm).length;
  assert.equal((await at.draft()).code, 0);
  writeFileSync(join(at.release, "SHA256SUMS"), "others\n");
  const done = await at.draft();
  assert.equal(done.code, 6);
  assert.match(done.stderr, /v1\.2\.3 is released already, with other files: release another version/);
  assert.equal(at.calls().match(/^upload/gm).length, before);
});

test("where GitHub does not tell, that is not taken for no release", async (t) => {
  const at = site(t);
  writeFileSync(join(at.state, "outage"), "HTTP 502: Bad Gateway\n");
  const done = await at.draft();
  assert.equal(done.code, 1);
  assert.match(done.stderr, /GitHub does not tell what there is of v1\.2\.3, this again: HTTP 502/);
  assert.doesNotMatch(at.calls(), /^(create|edit|upload)/m);
});

test("a version before a version is not the latest", async (t) => {
  const at = site(t);
  assert.equal((await at.draft("v2.0.0-rc.1")).code, 0);
  assert.equal((await at.publish("v2.0.0-rc.1")).code, 0);
  assert.match(at.calls(), /^create v2\.0\.0-rc\.1 .*--prerelease$/m);
  assert.match(at.calls(), /^edit v2\.0\.0-rc\.1 --draft=false --prerelease$/m);
  assert.doesNotMatch(at.calls(), /--latest/);
});

test("wrong use is told, and a folder without a release", async (t) => {
  const at = site(t);
  const usage = await run([join(root, "scripts/github-release.sh"), "draft"]);
  assert.equal(usage.code, 2);
  assert.match(usage.stderr, /usage: scripts\/github-release\.sh draft TAG FOLDER NOTES\n.*publish TAG/);
  writeFileSync(join(at.release, "VERSION"), "");
  const none = await run([join(root, "scripts/github-release.sh"), "draft", "v1.2.3", folder(t), "notes"]);
  assert.equal(none.code, 3);
});
