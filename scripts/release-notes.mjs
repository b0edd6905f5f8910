#!/usr/bin/env node
// Prints what CHANGELOG.md says of a version: the notes of its release. Exits with 6 where it says nothing.
// usage: node scripts/release-notes.mjs VERSION

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

/** The sections of the second level: what stands in the heading, and below it. Where the versions lead, `[1.2.3]: …` at the end, is none of theirs. */
function sections(text) {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading, ...lines] = section.split("\n");
      const body = lines.filter((line) => !/^\[(v?\d+\.\d+\.\d+[^\]]*|unreleased)\]: /i.test(line)).join("\n");
      return { heading: heading.trim(), body: body.trim() };
    });
}

/** A link into the checkout leads nowhere from the page of a release: there it leads to the files of its tag. */
function linked(text, version) {
  const repository = /^repository = "(.+)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];
  return text.replace(/(\]\(|^\[[^\]]+\]: )(?![a-z]+:|#)/gm, `$1${repository}/blob/v${version}/`);
}

function main([version, ...more]) {
  if (!version || more.length > 0) complain(2, "usage: node scripts/release-notes.mjs VERSION");
  // As Keep a Changelog has it: `1.2.3 - 2026-11-22`, the version in brackets or not.
  const named = sections(readFileSync(join(root, "CHANGELOG.md"), "utf8")).filter(
    ({ heading }) => heading.split(" ")[0].replace(/^\[(.+)\]$/, "$1") === version,
  );
  if (named.length === 0)
    complain(
      6,
      `CHANGELOG.md has no section ${version}: give that heading to what stands under Unreleased, with the date`,
    );
  if (named.length > 1) complain(6, `CHANGELOG.md has ${named.length} sections ${version}: make them one`);
  // Headings alone tell nothing.
  const [{ body }] = named;
  if (!body.split("\n").some((line) => line.trim() && !line.startsWith("#")))
    complain(6, `CHANGELOG.md says nothing of ${version}: write what changed`);
  process.stdout.write(`${linked(body, version)}\n`);
}

main(process.argv.slice(2));
