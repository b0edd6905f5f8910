// The workflows keep the rules, and each rule refuses what it is there for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints, parse, workflows } from "./workflow-rules.mjs";

const texts = workflows();

test("the workflows keep the rules", () => {
  for (const name of ["ci.yml", "archives.yml", "release.yml"]) assert.ok(texts[name], name);
  assert.deepEqual(complaints(texts), []);
});

/** With one change, which has to be one. */
function changed(name, from, to) {
  const text = texts[name].replace(from, to);
  assert.notEqual(text, texts[name], `${name} has ${from}`);
  return { ...texts, [name]: text };
}

const checkout = /uses: actions\/checkout@[0-9a-f]{40}/;
const job = (body) =>
  `jobs:\n  odd-one:\n    runs-on: ubuntu-24.04\n    timeout-minutes: 5\n    permissions:\n      ${body}`;
const step = (body) => job(`contents: read\n    steps:\n      ${body}\n`);

/** What is done to a workflow, and what has to be said of it. */
const cases = {
  "another trigger": ["ci.yml", "  pull_request:\n", "  pull_request_target:\n", /is started by pull_request_target/],
  "a comment as a trigger": [
    "ci.yml",
    "  pull_request:\n",
    "  pull_request:\n  issue_comment:\n",
    /started by issue_comment/,
  ],
  "another workflow as a trigger": ["ci.yml", "  pull_request:\n", "  workflow_run:\n", /is started by workflow_run/],
  "pushes to any branch": ["ci.yml", "  push:\n    branches: [main]\n", "  push:\n", /every push starts it/],
  "permissions for all jobs": [
    "ci.yml",
    "permissions: {}\n",
    "permissions:\n  contents: read\n",
    /does not begin with no permissions/,
  ],
  "no word of permissions": ["ci.yml", "permissions: {}\n", "", /does not begin with no permissions/],
  "a job without permissions": [
    "ci.yml",
    /( {4}timeout-minutes: \d+\n) {4}permissions:\n {6}contents: read\n/,
    "$1",
    /names no permissions/,
  ],
  "a right to write": [
    "ci.yml",
    "jobs:\n",
    `${job("packages: write\n    steps: []\n")}`,
    /odd-one: a pull request gets rights to write/,
  ],
  "an identity": ["ci.yml", "jobs:\n", `${job("id-token: write\n    steps: []\n")}`, /odd-one: may write id-token/],
  "every right": ["ci.yml", /permissions:\n {6}contents: read/, "permissions: write-all", /names no permissions/],
  "a secret": [
    "ci.yml",
    "jobs:\n",
    step("- run: echo\n        env:\n          A: ${{ secrets.A }}"),
    /a pull request gets secrets/,
  ],
  "a secret for every job": ["ci.yml", "env:\n", "env:\n  A: ${{ secrets.A }}\n", /hands secrets to every job/],
  "all secrets for a called workflow": [
    "ci.yml",
    "jobs:\n",
    "jobs:\n  odd-one:\n    permissions:\n      contents: read\n    uses: ./.github/workflows/ci.yml\n    secrets: inherit\n",
    /odd-one: a pull request gets secrets/,
  ],
  "an environment": ["ci.yml", /( {4}timeout-minutes: \d+\n)/, "$1    environment: release\n", /gets an environment/],
  "a push to a registry": ["ci.yml", "jobs:\n", step("- run: docker push x"), /odd-one: a pull request publishes/],
  "a machine of ours": [
    "ci.yml",
    "runs-on: ubuntu-latest",
    "runs-on: [self-hosted]",
    /a pull request runs on a machine of ours/,
  ],
  "an action by its tag": ["ci.yml", checkout, "uses: actions/checkout@v7", /actions\/checkout@v7 is not pinned/],
  "an action by a part of its commit": ["ci.yml", checkout, "uses: actions/checkout@3d3c42e", /is not pinned/],
  "a commit without its version": ["ci.yml", / # v7\.0\.1/g, "", /with its version in a comment/],
  "an image by its tag": [
    "ci.yml",
    "    timeout-minutes: 30\n",
    "    timeout-minutes: 30\n    container: debian:13\n",
    /image debian:13 is not pinned/,
  ],
  "no time limit": ["ci.yml", / {4}timeout-minutes: \d+\n/, "", /has no timeout-minutes/],
  "credentials that stay": [
    "ci.yml",
    "persist-credentials: false",
    "persist-credentials: true",
    /a checkout keeps its credentials/,
  ],
  "a checkout as it comes": [
    "ci.yml",
    /\n {8}with:\n {10}persist-credentials: false/,
    "",
    /a checkout keeps its credentials/,
  ],
  "a publishing workflow by hand": [
    "release.yml",
    "on:\n",
    "on:\n  workflow_dispatch:\n",
    /is started by workflow_dispatch/,
  ],
  "a publishing workflow from a branch": [
    "release.yml",
    '    tags: ["v*.*.*"]\n',
    "    branches: [main]\n",
    /from something else than tags/,
  ],
  "a publishing workflow from any tag": [
    "release.yml",
    '["v*.*.*"]',
    '["**"]',
    /publishes from something else than tags/,
  ],
  "a right that a job does not need": [
    "release.yml",
    "      contents: read\n      id-token: write\n",
    "      contents: write\n      id-token: write\n",
    /npm: may write contents/,
  ],
  "a secret without its environment": [
    "release.yml",
    "    environment: release\n",
    "",
    /secrets outside of the environment release/,
  ],
  "a cache in what is released": [
    "archives.yml",
    "          package-manager-cache: false\n",
    "",
    /binary: actions\/setup-node takes what is released from a cache/,
  ],
  "a compiler's cache in what is released": [
    "archives.yml",
    checkout,
    `uses: Swatinem/rust-cache@${"0".repeat(40)}`,
    /takes what is released from a cache/,
  ],
  "publishing by what pull requests call": [
    "archives.yml",
    "scripts/pack.sh binaries packed",
    "scripts/push-image.sh packed",
    /archives\.yml: pack: a pull request publishes/,
  ],
  "secrets in what pull requests call": [
    "archives.yml",
    "TARGET: ${{ matrix.target }}",
    "TARGET: ${{ secrets.TARGET }}",
    /archives\.yml: binary: a pull request gets secrets/,
  ],
  "a title in a command": [
    "ci.yml",
    "jobs:\n",
    step("- run: echo ${{ github.event.pull_request.title }}"),
    /an expression stands in a command/,
  ],
};

test("a release is made of all that the scripts know how to make", () => {
  const targets = ["linux-x64", "linux-arm64", "macos-x64", "macos-arm64", "windows-x64"];
  const lists = [...texts["archives.yml"].matchAll(/fromJSON\(inputs\.targets \|\| '(.+)'\)/g)].map(([, list]) =>
    JSON.parse(list),
  );
  assert.deepEqual(lists, [targets, targets]);
});

test("a tag of an older line is refused first, and again before what cannot be taken back", () => {
  const { jobs } = parse(texts["release.yml"]);
  const first = (job, text) => job.steps.findIndex((step) => step.run?.includes(text));
  for (const id of ["verify", "npm"]) {
    assert.ok(first(jobs[id], "scripts/newest.sh") >= 0, id);
    assert.equal(jobs[id].steps.find((step) => /checkout/.test(step.uses)).with["fetch-depth"], 0, id);
  }
  assert.ok(first(jobs.npm, "scripts/newest.sh") < first(jobs.npm, "npm-publish.mjs"));
});

/** The jobs that have to end well before one begins. */
function before(jobs, id) {
  const direct = [jobs[id].needs ?? []].flat();
  return new Set(direct.flatMap((each) => [each, ...before(jobs, each)]));
}

test("what is attested and drafted is pushed, and the latest is so last", () => {
  const { jobs } = parse(texts["release.yml"]);
  const needs = (id) => [...before(jobs, id)].sort();
  assert.deepEqual(needs("image"), ["archives", "attest", "draft", "verify"]);
  assert.deepEqual(needs("npm"), ["archives", "attest", "draft", "image", "verify"]);
  assert.deepEqual(needs("latest"), ["archives", "attest", "draft", "image", "npm", "verify"]);
  assert.deepEqual(needs("publish"), ["archives", "attest", "draft", "image", "latest", "npm", "verify"]);
});

for (const [what, [name, from, to, message]] of Object.entries(cases)) {
  test(`refused: ${what}`, () => {
    const found = complaints(changed(name, from, to));
    assert.ok(
      found.some((each) => message.test(each)),
      `not refused; but ${JSON.stringify(found)}`,
    );
  });
}
