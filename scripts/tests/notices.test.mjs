// scripts/notices.mjs: nobody whose work is in a binary is left out.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { crates, packages } from "../components.mjs";
import { root, run } from "./support.mjs";

const notices = () => run(["node", join(root, "scripts/notices.mjs")], { seconds: 180 });
const done = await notices();
assert.equal(done.code, 0, done.stderr);
const rule = `\n${"=".repeat(100)}\n`;
const [, ...parts] = done.stdout.split(rule);
/** Whose it is, and the text. */
const sections = parts.flatMap((whose, at) =>
  at % 2 === 0 ? [{ whose: whose.split("\n"), text: parts[at + 1] }] : [],
);

test("every crate and every package that is in the bill of materials has a text", () => {
  const told = new Set(sections.flatMap((section) => section.whose));
  const all = [...crates().filter((crate) => !crate.ours), ...packages()];
  assert.ok(all.length > 400);
  for (const { name, version, license } of all) assert.ok(told.has(`${name} ${version} (${license})`), name);
  assert.equal(told.size, all.length);
});

test("each text is one, and none is told twice", () => {
  for (const { whose, text } of sections) assert.ok(text.trim().length > 60, `${whose[0]}: ${text}`);
  const texts = sections.map((section) => section.text.replace(/\s+/g, " ").trim());
  assert.equal(new Set(texts).size, texts.length);
});

test("what a crate carries of others is told, and who wrote what left its licence out", () => {
  const of = (name) => sections.filter((section) => section.whose.some((each) => each.startsWith(`${name} `)));
  const has = (name, text) =>
    assert.ok(
      of(name).some((section) => section.text.includes(text)),
      `${name}: ${text}`,
    );
  has("utoipa-swagger-ui-vendored", "SmartBear Software");
  has("libmimalloc-sys", "Microsoft Corporation");
  has("@xterm/xterm", "The xterm.js authors");
  has("kube", "Apache License");
  has("cookie-factory", "Permission is hereby granted, free of charge");
  for (const section of of("cookie-factory")) assert.doesNotMatch(section.text, /Odd Essentials/i);
});

test("it is the same each time, and tells nothing of the machine", async () => {
  assert.equal((await notices()).stdout, done.stdout);
  for (const path of [root, ".cargo/registry"]) assert.ok(!done.stdout.includes(path), path);
});
