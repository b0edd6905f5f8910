#!/usr/bin/env node
// Publishes the packed packages of npm: those of the platforms first, then, once the registry has all of them, the launcher that depends on
// them. Done again it goes on where it ended: what is published already and the same is left as it is, what is published and another is refused.
// usage: node scripts/npm-publish.mjs FOLDER
//
// FOLDER  packages as scripts/pack.sh packs them, all of one version
//
// On GitHub, where the job has an identity, npm takes that for its rights and signs the provenance with it. Exits with 6 where packages are
// missing or are not what is published.

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const seconds = Number(process.env.ODD_PUBLISH_TIMEOUT ?? 300);

function complain(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function described(path) {
  const text = execFileSync("tar", ["-xzOf", path, "package/package.json"], { encoding: "utf8" });
  const { name, version, optionalDependencies = {} } = JSON.parse(text);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(path)).digest("base64")}`;
  return { path, name, version, needs: Object.keys(optionalDependencies), integrity };
}

/** The integrity of what is published under this name and version; none where nothing is. */
function published({ name, version }) {
  const asked = ["view", `${name}@${version}`, "dist.integrity", "--json", "--prefer-online"];
  const done = spawnSync("npm", asked, { encoding: "utf8" });
  if (done.status === 0) return done.stdout.trim() ? JSON.parse(done.stdout) : undefined;
  if (/E404/.test(done.stdout + done.stderr)) return undefined;
  return complain(1, `the registry does not tell what there is of ${name}: ${done.stderr.trim()}`);
}

/** Whether it had to be. */
function publish(each) {
  const there = published(each);
  if (there && there !== each.integrity)
    complain(
      6,
      `${each.name} ${each.version} is published as ${there}, and ${each.path} is ${each.integrity}: release another version`,
    );
  if (there) {
    process.stdout.write(`${each.name} ${each.version} is published already\n`);
    return false;
  }
  // What comes before a version is not what `npm install` takes unasked.
  const args = ["publish", each.path, "--access", "public", "--tag", each.version.includes("-") ? "next" : "latest"];
  if (process.env.ACTIONS_ID_TOKEN_REQUEST_URL) args.push("--provenance");
  const done = spawnSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] });
  if (done.status !== 0) complain(1, `${each.name} ${each.version} could not be published: this again`);
  process.stdout.write(`${each.name} ${each.version} is published\n`);
  return true;
}

/** A registry shows what it took a little later. */
async function awaited(each) {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; ) {
    if (published(each) === each.integrity) return;
    await new Promise((done) => setTimeout(done, 1000));
  }
  complain(1, `the registry does not show ${each.name} ${each.version} within ${seconds} s: this again`);
}

async function main([folder, ...more]) {
  if (!folder || more.length > 0) complain(2, "usage: node scripts/npm-publish.mjs FOLDER");
  if (!existsSync(folder)) complain(3, `there is no ${folder}: scripts/pack.sh makes it, as OUTDIR/npm`);
  const files = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  // With a relative path of two parts npm would look for a repository of GitHub.
  const all = files.map((name) => described(resolve(folder, name)));
  const launchers = all.filter((each) => each.needs.length > 0);
  if (launchers.length !== 1) complain(6, `${folder} has ${launchers.length} launchers, not one`);
  const [launcher] = launchers;
  const platforms = all.filter((each) => each !== launcher);
  for (const name of launcher.needs)
    if (!platforms.some((each) => each.name === name && each.version === launcher.version))
      complain(6, `${folder} lacks ${name} ${launcher.version}: nothing is published`);
  for (const each of platforms.filter(publish)) await awaited(each);
  publish(launcher);
}

await main(process.argv.slice(2));
