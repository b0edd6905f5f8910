// One version in every commit: the workspace's, from Cargo.toml. And one address.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { folder, root, run, version } from "./support.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const launcher = JSON.parse(read("npm/odd/package.json"));
const members = [.../^members = \[([^\]]*)\]/m.exec(read("Cargo.toml"))[1].matchAll(/"(.+)"/g)].map(([, name]) => name);

const versions = (tree, ...tag) => run(["node", join(tree, "scripts/versions.mjs"), ...tag]);

/** What the script reads, in a folder of the test's own. */
function copied(t) {
  const tree = folder(t);
  const manifests = members.map((member) => `${member}/Cargo.toml`);
  const parts = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "compose",
    "docs",
    "k8s",
    "npm/odd/package.json",
    ...manifests,
  ];
  for (const path of [...parts, "scripts/versions.mjs"]) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(root, path), join(tree, path), { recursive: true });
  }
  return tree;
}

/** Each place, found here in another way: in these files the version stands for nothing else. */
function occurrences() {
  const files = {
    "npm/odd/package.json": 6,
    "compose/.env": 1,
    "compose/compose.yaml": 1,
    "compose/odd/Dockerfile": 2,
    "compose/odd/binary.Dockerfile": 1,
    "k8s/base/kustomization.yaml": 2,
    "k8s/overlays/production/kustomization.yaml": 1,
  };
  return Object.entries(files).flatMap(([path, count]) => {
    const parts = read(path).split(version);
    assert.equal(parts.length - 1, count, `the version in ${path}`);
    return parts.slice(1).map((_, at) => ({
      path,
      text: `${parts.slice(0, at + 1).join(version)}9.8.7${parts.slice(at + 1).join(version)}`,
    }));
  });
}

test("the version of the workspace is the version of all that is released", async () => {
  const done = await versions(root);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout, `${version}\n`);
  assert.equal((await versions(root, `v${version}`)).code, 0);
});

test("a tag of another version is refused, and what is no version", async () => {
  const other = await versions(root, "v9.8.7");
  assert.equal(other.code, 6);
  assert.match(other.stderr, /the tag: 9\.8\.7/);
  for (const tag of [version, "v1.2", "latest", "refs/tags/v1.2.3"])
    assert.equal((await versions(root, tag)).code, 2, tag);
});

test("each place alone that disagrees is refused by its name", async (t) => {
  const tree = copied(t);
  assert.equal((await versions(tree)).code, 0);
  const refused = async (path, text, what) => {
    const before = readFileSync(join(tree, path), "utf8");
    assert.notEqual(text, before, what);
    writeFileSync(join(tree, path), text);
    const done = await versions(tree);
    writeFileSync(join(tree, path), before);
    assert.equal(done.code, 6, `${what}\n${done.stderr}`);
    assert.ok(done.stderr.includes(path) && done.stderr.includes("9.8.7"), done.stderr);
  };
  for (const { path, text } of occurrences()) await refused(path, text, path);
  await refused(
    "Cargo.toml",
    read("Cargo.toml").replace(`version = "${version}"`, 'version = "9.8.7"'),
    "the workspace",
  );
  for (const member of members) {
    const path = `${member}/Cargo.toml`;
    await refused(path, read(path).replace("version.workspace = true", 'version = "9.8.7"'), member);
  }
  for (const name of ["odd", "odd-contracts", "odd-web", "odd-testkit"]) {
    const entry = `name = "${name}"\nversion = `;
    await refused("Cargo.lock", read("Cargo.lock").replace(`${entry}"${version}"`, `${entry}"9.8.7"`), name);
  }
  const path = 'odd-store = { path = "services/store"';
  await refused(
    "Cargo.toml",
    read("Cargo.toml").replace(path, `${path}, version = "=9.8.7"`),
    "a dependency on a path",
  );
  await refused("README.md", `${read("README.md")}\n    docker pull ghcr.io/oddessentials/odd:9.8.7\n`, "a document");
});

test("a place that is gone is refused", async (t) => {
  const tree = copied(t);
  const path = "k8s/overlays/production/kustomization.yaml";
  writeFileSync(join(tree, path), read(path).replaceAll("newTag", "digest"));
  const done = await versions(tree);
  assert.equal(done.code, 6);
  assert.ok(done.stderr.includes(`${path}: nothing that looks like it`), done.stderr);
});

test("the packages of npm say what Cargo.toml says", () => {
  const one = (pattern) => pattern.exec(read("Cargo.toml"))[1];
  const repository = one(/^repository = "(.+)"$/m);
  for (const each of [launcher, JSON.parse(read("npm/platform/package.json"))]) {
    assert.equal(each.repository.url, `git+${repository}.git`);
    assert.equal(each.homepage, repository);
    assert.equal(each.license, one(/^license = "(.+)"$/m));
  }
});
