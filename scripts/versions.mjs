#!/usr/bin/env node
// Holds every place where the version is written to the one of Cargo.toml, and that to a tag: the lock file, the manifests of the crates, the
// packages of npm, the tags of the image in compose/, k8s/ and the documents. Prints the version; where two disagree it names every place
// and what stands there, and exits with 6.
// usage: node scripts/versions.mjs [TAG]
//
// TAG  such as v1.2.3: what is about to be released

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (path) => readFileSync(join(root, path), "utf8");

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

/** What the group of a pattern takes from a file, with its line. At least one: a place that is gone is none that agrees. */
function places(path, pattern, least = 1) {
  const text = read(path);
  const found = [...text.matchAll(pattern)].map((match) => ({
    path: `${path}:${text.slice(0, match.index).split("\n").length}`,
    value: match[1],
  }));
  return found.length >= least ? found : [{ path, value: "nothing that looks like it" }];
}

/** The workspace's, and its members' where one has a version of its own. */
function manifests() {
  const workspace = places("Cargo.toml", /^\[workspace\.package\](?:\n[^[].*)*?\nversion = "(.+)"$/gm);
  const members = [...read("Cargo.toml").matchAll(/^members = \[([^\]]*)\]/gm)][0]?.[1] ?? "";
  const crates = [...members.matchAll(/"(.+)"/g)].map((match) => `${match[1]}/Cargo.toml`);
  const own = crates.flatMap((path) => places(path, /^version(?:\.workspace)? = "?([^"\n]+)"?$/gm));
  const inherited = own.filter((place) => place.value !== "true");
  const paths = ["Cargo.toml", ...crates].flatMap((path) =>
    places(path, /^odd-[a-z-]+ = \{(?=.*\bpath = ).*\bversion = "(.+?)"/gm, 0),
  );
  return [...workspace, ...inherited, ...paths];
}

/** Packages without a source are ours. */
function lock() {
  return places("Cargo.lock", /^\[\[package\]\]\nname = ".+"\nversion = "(.+)"\n(?!source)/gm);
}

function npm() {
  const path = "npm/odd/package.json";
  const launcher = JSON.parse(read(path));
  return [
    { path: `${path} version`, value: launcher.version },
    ...Object.entries(launcher.optionalDependencies).map(([name, value]) => ({ path: `${path} ${name}`, value })),
  ];
}

function files(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/"))
    .sort();
}

/** What stands for any version, in documents that say so. */
const PLACEHOLDER = "1.2.3";

/** Tags of the image: those that the files must have, and whatever else names it. */
function images() {
  const mentioned = ["README.md", ...["compose", "docs", "k8s"].flatMap(files)].flatMap((path) =>
    places(path, /ghcr\.io\/oddessentials\/odd:([0-9A-Za-z_][\w.+-]*)/g, 0),
  );
  return [
    ...mentioned.filter(({ path, value }) => !(path.includes(".md:") && value === PLACEHOLDER)),
    ...places("compose/.env", /^ODD_IMAGE=.*:(.+)$/gm),
    ...places("compose/compose.yaml", /ODD_IMAGE:-[^}]*:([^}]+)\}/g),
    ...places("compose/odd/Dockerfile", /^ARG VERSION=(.+)$/gm),
    ...places("compose/odd/binary.Dockerfile", /^ARG VERSION=(.+)$/gm),
    ...places("k8s/base/kustomization.yaml", /newTag: (.+)/g),
    ...places("k8s/base/kustomization.yaml", /app\.kubernetes\.io\/version: (.+)/g),
    ...places("k8s/overlays/production/kustomization.yaml", /newTag: (.+)/g),
  ];
}

function main([tag, ...more]) {
  if (more.length > 0) complain(2, "usage: node scripts/versions.mjs [TAG]");
  if (tag !== undefined && !/^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(tag))
    complain(2, `${tag} is no tag of a release: v and a version, such as v1.2.3`);
  const found = [...manifests(), ...lock(), ...npm(), ...images()];
  if (tag) found.unshift({ path: "the tag", value: tag.slice(1) });
  const wanted = (tag ? found[1] : found[0]).value;
  // A place that two patterns see is told once.
  const others = new Map(found.filter((place) => place.value !== wanted).map((place) => [place.path, place.value]));
  if (others.size > 0) {
    const told = [...others].map(([path, value]) => `  ${path}: ${value}`).join("\n");
    complain(6, `Cargo.toml says ${wanted}, but there is\n${told}\nmake them agree`);
  }
  process.stdout.write(`${wanted}\n`);
}

main(process.argv.slice(2));
