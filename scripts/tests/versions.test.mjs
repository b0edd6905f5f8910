// One version in every commit: the workspace's, from Cargo.toml. And one address.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, version } from "./support.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const launcher = JSON.parse(read("npm/odd/package.json"));

/** What stands after this in a file, each time. */
function after(path, pattern) {
  const found = [...read(path).matchAll(pattern)].map((match) => match[1]);
  assert.ok(found.length > 0, `${path} has ${pattern}`);
  return found;
}

test("the version of the workspace is the version of all that is released", () => {
  const found = {
    "npm/odd/package.json": [launcher.version, ...Object.values(launcher.optionalDependencies)],
    "k8s/base/kustomization.yaml": after(
      "k8s/base/kustomization.yaml",
      /(?:newTag|app\.kubernetes\.io\/version): (.+)/g,
    ),
    "k8s/overlays/production/kustomization.yaml": after("k8s/overlays/production/kustomization.yaml", /newTag: (.+)/g),
    "compose/.env": after("compose/.env", /^ODD_IMAGE=.*:(.+)$/gm),
    "compose/compose.yaml": after("compose/compose.yaml", /ODD_IMAGE:-[^}]*:([^}]+)\}/g),
    "compose/odd/Dockerfile": after("compose/odd/Dockerfile", /^ARG VERSION=(.+)$/gm),
    "compose/odd/binary.Dockerfile": after("compose/odd/binary.Dockerfile", /^ARG VERSION=(.+)$/gm),
  };
  for (const [path, versions] of Object.entries(found)) {
    for (const each of versions) assert.equal(each, version, path);
  }
});

test("the packages of npm say what Cargo.toml says", () => {
  const [repository] = after("Cargo.toml", /^repository = "(.+)"$/gm);
  const [license] = after("Cargo.toml", /^license = "(.+)"$/gm);
  for (const each of [launcher, JSON.parse(read("npm/platform/package.json"))]) {
    assert.equal(each.repository.url, `git+${repository}.git`);
    assert.equal(each.homepage, repository);
    assert.equal(each.license, license);
  }
});
