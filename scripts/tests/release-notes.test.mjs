// scripts/release-notes.mjs: the section of a version, and nothing of its neighbours.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, root, run } from "./support.mjs";

const changelog = `# Changelog

## Unreleased

### Added

- What comes.

## [1.10.0] - 2026-11-22

### Added

- Two roles, see [the documents](docs/x.md).

### Fixed

- \`odd ## down\` ends, see [why][why] and [how].

[why]: https://example.org/why
[how]: docs/how.md

## 1.1.0 - 2026-10-01

- First.

## 1.0.9

### Fixed

## 1.0.8

[Unreleased]: https://example.org/main
[1.10.0]: https://example.org/v1.10.0
[1.0.9-rc.1]: https://example.org/v1.0.9-rc.1
`;

function notes(t, version, text = changelog) {
  const tree = folder(t);
  mkdirSync(join(tree, "scripts"));
  cpSync(join(root, "scripts/release-notes.mjs"), join(tree, "scripts/release-notes.mjs"));
  writeFileSync(join(tree, "CHANGELOG.md"), text);
  writeFileSync(join(tree, "Cargo.toml"), '[workspace.package]\nrepository = "https://example.org/odd"\n');
  return run(["node", join(tree, "scripts/release-notes.mjs"), ...version]);
}

test("the notes of a version are its section, with links that lead from elsewhere", async (t) => {
  const done = await notes(t, ["1.10.0"]);
  assert.equal(done.code, 0, done.stderr);
  const link = "https://example.org/odd/blob/v1.10.0/docs/x.md";
  const fixed = "- `odd ## down` ends, see [why][why] and [how].";
  const links = "[why]: https://example.org/why\n[how]: https://example.org/odd/blob/v1.10.0/docs/how.md";
  const said = `### Added\n\n- Two roles, see [the documents](${link}).\n\n### Fixed\n\n${fixed}\n\n${links}\n`;
  assert.equal(done.stdout, said);
  assert.equal((await notes(t, ["1.1.0"])).stdout, "- First.\n");
});

test("a version without notes is refused", async (t) => {
  for (const [version, message] of [
    ["1.10", /no section 1\.10:/],
    ["1.2.0", /no section 1\.2\.0:/],
    ["1.0.9", /says nothing of 1\.0\.9/],
    ["1.0.8", /says nothing of 1\.0\.8/],
  ]) {
    const done = await notes(t, [version]);
    assert.equal(done.code, 6, version);
    assert.equal(done.stdout, "");
    assert.match(done.stderr, message);
  }
  const twice = await notes(t, ["1.1.0"], `${changelog}\n## 1.1.0\n\n- Again.\n`);
  assert.equal(twice.code, 6);
  assert.match(twice.stderr, /2 sections 1\.1\.0/);
  assert.equal((await notes(t, [])).code, 2);
});
