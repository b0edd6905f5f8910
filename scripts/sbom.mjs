#!/usr/bin/env node
// Prints the software bill of materials of a release, as an SPDX 2.3 document: every crate in its binaries and every package in the page that
// they carry, with version, licence and checksum. The same commit gives the same document: its time is SOURCE_DATE_EPOCH or the commit's.
// usage: node scripts/sbom.mjs

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crates, packages, root } from "./components.mjs";

const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
const said = (pattern) => pattern.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];

/** An id has letters, digits, dots and hyphens only. */
const id = (kind, { name, version }) => `SPDXRef-${kind}-${`${name}-${version}`.replaceAll(/[^0-9A-Za-z.-]/g, "-")}`;

function described(kind, component, more) {
  return {
    SPDXID: id(kind, component),
    name: component.name,
    versionInfo: component.version,
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: component.license || "NOASSERTION",
    copyrightText: "NOASSERTION",
    ...more,
  };
}

/** Whichever mirror it came from: the package URL and the checksum say what it is. */
const UNTOLD = "NOASSERTION";

function purl(type, { name, version }) {
  const locator = `pkg:${type}/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
  return [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: locator }];
}

function ofCrate(crate, source) {
  if (crate.ours) return described("crate", crate, { downloadLocation: source });
  return described("crate", crate, {
    downloadLocation: UNTOLD,
    checksums: [{ algorithm: "SHA256", checksumValue: crate.sha256 }],
    externalRefs: purl("cargo", crate),
  });
}

function ofPackage(each) {
  return described("npm", each, {
    downloadLocation: UNTOLD,
    checksums: [{ algorithm: "SHA512", checksumValue: each.sha512 }],
    externalRefs: purl("npm", each),
  });
}

function main() {
  const version = said(/^\[workspace\.package\](?:\n[^[].*)*?\nversion = "(.+)"$/m);
  const repository = said(/^repository = "(.+)"$/m);
  const commit = git("rev-parse", "HEAD");
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? git("log", "-1", "--format=%ct"));
  const source = `git+${repository}.git@${commit}`;
  const all = [...crates().map((crate) => ofCrate(crate, source)), ...packages().map(ofPackage)];
  const odd = id("crate", { name: "odd", version });
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `odd-${version}`,
    documentNamespace: `${repository}/releases/download/v${version}/odd-${version}.spdx.json?commit=${commit}`,
    creationInfo: {
      created: new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
      creators: ["Organization: oddessentials", "Tool: scripts/sbom.mjs"],
    },
    documentDescribes: [odd],
    packages: all,
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: odd },
      ...all
        .filter((each) => each.SPDXID !== odd)
        .map((each) => ({ spdxElementId: odd, relationshipType: "CONTAINS", relatedSpdxElement: each.SPDXID })),
    ],
  };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

main();
