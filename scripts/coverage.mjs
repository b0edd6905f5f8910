#!/usr/bin/env node
// Holds the share of lines that tests run to the floor in .ci/coverage, which only rises. Prints a table of it, by crate.
// usage: node scripts/coverage.mjs REPORT [FLOOR-BEFORE]
//
// REPORT        as `cargo llvm-cov --json --summary-only` writes it
// FLOOR-BEFORE  the floor of the commit before, where there was one
//
// Exits with 6 where fewer lines are run than the floor says, where the floor was lowered, and where it stands too far below what was measured:
// it is then to be raised in the same change, so that what was won is kept.

import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** In points of a hundred. Which lines are run differs a little from run to run: the floor stands this far below what was measured … */
const SLACK = 0.3;
/** … and where it stands this far below, it is raised. */
const REACH = 1;

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function figure(text, where) {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= 0 && value <= 100
    ? value
    : complain(6, `${where} says «${text.trim()}», which is no share of a hundred`);
}

/** The crate of a file is the innermost folder with sources: services/store/src/x.rs is of services/store. */
function byCrate(files) {
  const crates = new Map();
  for (const { filename, summary } of files) {
    const name = relative(root, filename).replaceAll("\\", "/").split("/src/")[0];
    const sum = crates.get(name) ?? { count: 0, covered: 0 };
    crates.set(name, { count: sum.count + summary.lines.count, covered: sum.covered + summary.lines.covered });
  }
  return [...crates].sort(([one], [other]) => (one < other ? -1 : 1));
}

const percent = ({ count, covered }) => (count === 0 ? 0 : (100 * covered) / count);

function table(crates, total) {
  const row = (name, lines) => `| ${name} | ${lines.count} | ${lines.covered} | ${percent(lines).toFixed(1)} |`;
  const rows = [...crates.map(([name, lines]) => row(name, lines)), row("all", total)];
  return ["| crate | lines | run by tests | % |", "|---|---:|---:|---:|", ...rows].join("\n");
}

function main([report, before, ...more]) {
  if (!report || more.length > 0) complain(2, "usage: node scripts/coverage.mjs REPORT [FLOOR-BEFORE]");
  const [{ files, totals }] = JSON.parse(readFileSync(report, "utf8")).data;
  if (!(totals.lines.count > 0)) complain(6, `${report} has no lines: nothing was measured`);
  const measured = percent(totals.lines);
  process.stdout.write(`${table(byCrate(files), totals.lines)}\n`);
  const floor = figure(readFileSync(join(root, ".ci/coverage"), "utf8"), ".ci/coverage");
  if (before !== undefined && floor < figure(before, "the commit before"))
    complain(6, `.ci/coverage says ${floor}, and said ${before.trim()} before: it only rises`);
  if (measured < floor)
    complain(
      6,
      `tests run ${measured.toFixed(2)} % of the lines, fewer than the ${floor} % of .ci/coverage: write the tests that are missing`,
    );
  const next = (Math.floor((measured - SLACK) * 10) / 10).toFixed(1);
  if (measured >= floor + REACH)
    complain(
      6,
      `tests run ${measured.toFixed(2)} % of the lines, and .ci/coverage still says ${floor}: write ${next} there`,
    );
}

main(process.argv.slice(2));
