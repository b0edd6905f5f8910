#!/usr/bin/env node
// Prints the notices of third parties: for every crate in the binaries, and every package in the page that they carry, the licence and copyright
// that came with its sources. Texts that are the same are told once, with all whose they are. The same sources give the same notices.
// usage: node scripts/notices.mjs
//
// Needs the packages of the page (scripts/ui.sh installs them) and unzip. Exits with 3 where these are missing, with 6 where a component has
// no text and a licence that needs one of its own.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CARRIED, crates, packages, root, sources } from "./components.mjs";

const NAMED = /^(licen[cs]es?|copying|copyright|notice|unlicense)([-_.].*)?$/i;
/** Data of tests may have licences of its own, and is in no binary. */
const ASIDE = new Set(["tests", "test", "testdata", "benches", "examples", "fuzz", "node_modules", ".git"]);

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

const tidy = (text) =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(/[ \t]+$/gm, "")
    .replace(/^\n+|\s+$/g, "");

/** The texts of licences in a folder: also of what others wrote, deeper in it; all of a folder that is called so. */
function textsIn(folder, all = false) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ASIDE.has(entry.name) ? [] : textsIn(path, all || NAMED.test(entry.name));
    // Sources may be called so, too.
    const text =
      entry.isFile() && (all || NAMED.test(entry.name)) && !/\.(rs|c|h|py|js|ts|jsx|json|toml)$/.test(entry.name);
    return text ? [tidy(readFileSync(path, "utf8"))] : [];
  });
}

/** A symbolic link that was packed as a file holds a path, other files the names of licences alone: that is no text. */
const isText = (text) => /\s/.test(text) && /copyright|licen[cs]e|permission|public domain/i.test(text);

/** What Swagger UI says of itself stands in the archive in which a crate carries it. */
function swaggerUi(folder) {
  const [zip] = readdirSync(join(folder, "res")).filter((name) => name.endsWith(".zip"));
  const done = spawnSync("unzip", ["-p", join(folder, "res", zip), "*/NOTICE", "*/LICENSE"], { encoding: "utf8" });
  if (done.error) complain(3, "unzip is not installed, with which the notices of Swagger UI are read");
  if (done.status !== 0) complain(6, `${zip} has no NOTICE and LICENSE`);
  return [tidy(done.stdout)];
}

/** Some packages leave their text out. The licence of this repository has the words of MIT, the first that has them those of Apache. */
function standard({ name, license, authors }, others) {
  if (/\bApache-2\.0\b/.test(license)) {
    const apache = others.find(
      (text) => /^Apache License\n/.test(text.trimStart()) && text.includes("END OF TERMS AND CONDITIONS"),
    );
    if (apache) return [apache];
  }
  if (!/\bMIT\b/.test(license)) return complain(6, `${name} has no text, and its licence ${license} needs one`);
  const mine = tidy(readFileSync(join(root, "LICENSE"), "utf8"));
  const whose = authors.map((author) => author.replace(/ <.*>$/, "")).join(", ") || `the authors of ${name}`;
  return [mine.replace(/^Copyright \(c\) .+$/m, `Copyright (c) ${whose}`)];
}

function components() {
  const from = sources();
  const ofBinaries = crates().filter((crate) => !crate.ours);
  const found = ofBinaries.map((crate) => {
    const { folder, authors } = from.get(`${crate.name} ${crate.version}`);
    const own = crate.name === CARRIED ? swaggerUi(folder) : [];
    return { ...crate, authors, texts: [...textsIn(folder).filter(isText), ...own] };
  });
  const ofPage = packages().map((each) => {
    if (!existsSync(each.folder)) complain(3, `${each.folder} is not there: scripts/ui.sh --build installs it`);
    return { ...each, authors: [], texts: textsIn(each.folder).filter(isText) };
  });
  const others = found.flatMap((each) => each.texts);
  return [...found, ...ofPage].map((each) =>
    each.texts.length > 0 ? each : { ...each, texts: standard(each, others) },
  );
}

/** Each text with those whose it is, in the order of the first of them. */
function grouped(all) {
  const groups = new Map();
  for (const each of all)
    for (const text of new Set(each.texts)) {
      // Copies differ in how they are laid out.
      const key = text.replace(/\s+/g, " ").trim();
      const group = groups.get(key) ?? { text, whose: [] };
      if (!groups.has(key)) groups.set(key, group);
      const told = `${each.name} ${each.version} (${each.license})`;
      if (!group.whose.includes(told)) group.whose.push(told);
    }
  return [...groups.values()];
}

function main() {
  const rule = "=".repeat(100);
  process.stdout.write(
    `Notices of third parties

odd contains the following works of others, each under its own licence. The licence of odd itself is in LICENSE.
It contains parts of the Rust standard library as well, by the Rust Project Developers (MIT OR Apache-2.0). Binaries for
Linux contain parts of the GNU C Library (LGPL-2.1-or-later, https://www.gnu.org/software/libc); the sources of odd and
scripts/binary.sh there link them anew with any version of it.
`,
  );
  for (const { text, whose } of grouped(components()))
    process.stdout.write(`\n${rule}\n${whose.join("\n")}\n${rule}\n\n${text}\n`);
}

main();
