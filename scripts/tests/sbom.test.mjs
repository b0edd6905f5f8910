// scripts/sbom.mjs: what a release is made of, all of it and nothing else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, run, version } from "./support.mjs";

const sbom = () =>
  run(["node", join(root, "scripts/sbom.mjs")], { env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000" } });

const done = await sbom();
assert.equal(done.code, 0, done.stderr);
const document = JSON.parse(done.stdout);
const names = new Set(document.packages.map((each) => each.name));

test("it is the same each time, and of its commit", async () => {
  assert.equal((await sbom()).stdout, done.stdout);
  assert.equal(document.creationInfo.created, "2023-11-14T22:13:20Z");
  assert.match(document.documentNamespace, /\?commit=[0-9a-f]{40}$/);
});

test("it has what is in the binaries of every platform and in the page, and nothing that only tests use", () => {
  for (const name of [
    "odd",
    "odd-gateway",
    "tokio",
    "lapin",
    "libsqlite3-sys",
    "windows-sys",
    "preact",
    "@xterm/xterm",
    "uplot",
  ])
    assert.ok(names.has(name), name);
  for (const name of ["insta", "proptest", "testcontainers", "odd-testkit", "vite", "vitest", "typescript"])
    assert.ok(!names.has(name), name);
});

test("what is not ours has the checksum that its lock file names, a licence and an address", () => {
  const locks = readFileSync(join(root, "Cargo.lock"), "utf8");
  const page = readFileSync(join(root, "services/web/ui/package-lock.json"), "utf8");
  for (const each of document.packages) {
    assert.match(each.licenseDeclared, /^[A-Za-z0-9.()+ -]+$/, each.name);
    if (each.downloadLocation.startsWith("git+")) {
      assert.equal(each.versionInfo, version, each.name);
      continue;
    }
    const [{ algorithm, checksumValue }] = each.checksums;
    const locked =
      algorithm === "SHA256"
        ? locks.includes(checksumValue)
        : page.includes(Buffer.from(checksumValue, "hex").toString("base64"));
    assert.ok(locked, each.name);
    assert.match(each.externalRefs[0].referenceLocator, /^pkg:(cargo|npm)\//);
  }
});

test("its ids are of the form that SPDX has, unlike each other, and all related", () => {
  const ids = document.packages.map((each) => each.SPDXID);
  for (const id of ids) assert.match(id, /^SPDXRef-[0-9A-Za-z.-]+$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(new Set(document.relationships.map((each) => each.relatedSpdxElement)), new Set(ids));
  assert.deepEqual(document.documentDescribes, [`SPDXRef-crate-odd-${version}`]);
});
