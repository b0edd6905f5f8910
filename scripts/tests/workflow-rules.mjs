// What no workflow may do. Whoever opens a pull request runs code of their own in it: there it finds nothing to take or to write with.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./support.mjs";

/** The parser comes with what the page is built with (`scripts/ui.sh`). */
export const { parse } = createRequire(join(root, "services/web/ui/package.json"))("yaml");

/** By these alone workflows are started. All others run with rights over the repository on what strangers wrote, or at no known commit. */
const TRIGGERS = ["push", "pull_request", "workflow_call"];

/** What may be written, and by which job: an entry here is a decision. */
const MAY_WRITE = {
  "release.yml": {
    attest: ["attestations", "id-token"],
    image: ["attestations", "id-token", "packages"],
    npm: ["id-token"],
    draft: ["contents"],
    latest: ["packages"],
    publish: ["contents"],
  },
};

/** What sends something to a registry or to GitHub. */
const PUBLISHING = new RegExp(
  [
    "docker login|docker push|imagetools create|--push\\b|push=true|push-image\\.sh",
    "npm publish|npm-publish\\.mjs|cargo publish",
    "git push|gh release|gh api|github-release\\.sh",
  ].join("|"),
);

/** Every workflow of the repository: its text, by its name. */
export function workflows() {
  const folder = join(root, ".github/workflows");
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

const listed = (value) =>
  typeof value === "string" ? [value] : Array.isArray(value) ? value : Object.keys(value ?? {});
const strings = (value) =>
  typeof value === "string" ? [value] : value && typeof value === "object" ? Object.values(value).flatMap(strings) : [];
const jobsOf = (workflow) => Object.entries(workflow.jobs ?? {});
const called = (job) => /^\.\/\.github\/workflows\/(.+)$/.exec(job.uses ?? "")?.[1];
const steps = (job) => job.steps ?? [];
const writes = (permissions) =>
  typeof permissions === "string"
    ? permissions === "read-all" || permissions === "none"
      ? []
      : [permissions]
    : Object.keys(permissions ?? {}).filter((name) => permissions[name] === "write");

/** The workflows that one of these starts, by calls of calls. */
function reached(all, from) {
  const found = new Set(from);
  for (const name of found) for (const [, job] of jobsOf(all[name] ?? {})) if (called(job)) found.add(called(job));
  return [...found].filter((name) => all[name]);
}

/** All that the rules find wrong with these workflows, each with its place. */
export function complaints(texts) {
  const all = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, parse(text)]));
  const by = (trigger) => Object.keys(all).filter((name) => listed(all[name].on).includes(trigger));
  return [
    ...Object.entries(all).flatMap(([name, workflow]) => [
      ...triggers(name, workflow),
      ...leastRights(name, workflow),
      ...jobsOf(workflow).flatMap(([id, job]) => everyJob(`${name}: ${id}`, job)),
      ...pinned(name, texts[name], workflow),
    ]),
    ...reached(all, by("pull_request")).flatMap((name) => fromPullRequests(name, all[name])),
    ...reached(all, Object.keys(MAY_WRITE)).flatMap((name) => trustworthy(name, all[name])),
  ];
}

function triggers(name, workflow) {
  const found = listed(workflow.on)
    .filter((trigger) => !TRIGGERS.includes(trigger))
    .map((trigger) => `${name}: is started by ${trigger}`);
  const push = workflow.on?.push;
  if (listed(workflow.on).includes("push") && !push?.branches && !push?.tags)
    found.push(`${name}: every push starts it`);
  // What publishes does so from tags, and nothing else starts it.
  if (MAY_WRITE[name] && (listed(workflow.on).length !== 1 || push?.branches || String(push?.tags) !== "v*.*.*"))
    found.push(`${name}: publishes from something else than tags v*.*.*`);
  return found;
}

function leastRights(name, workflow) {
  const found = [];
  if (!workflow.permissions || Object.keys(workflow.permissions).length > 0)
    found.push(`${name}: does not begin with no permissions`);
  for (const [id, job] of jobsOf(workflow)) {
    if (!job.permissions || typeof job.permissions === "string") found.push(`${name}: ${id}: names no permissions`);
    const may = MAY_WRITE[name]?.[id] ?? [];
    for (const right of writes(job.permissions))
      if (!may.includes(right)) found.push(`${name}: ${id}: may write ${right}`);
    if (!MAY_WRITE[name] && publishes(job)) found.push(`${name}: ${id}: publishes`);
    if (strings(job).some((text) => /\bsecrets\b/.test(text)) && !(MAY_WRITE[name] && job.environment === "release"))
      found.push(`${name}: ${id}: has secrets outside of the environment release`);
  }
  if (/\bsecrets\b/.test(strings({ ...workflow, jobs: {} }).join("\n")))
    found.push(`${name}: hands secrets to every job`);
  return found;
}

function publishes(job) {
  return steps(job).some((step) => PUBLISHING.test(step.run ?? "") || PUBLISHING.test(JSON.stringify(step.with ?? {})));
}

function everyJob(place, job) {
  const found = [];
  if (!job.uses && !Number.isInteger(job["timeout-minutes"])) found.push(`${place}: has no timeout-minutes`);
  for (const step of steps(job)) {
    if (/^actions\/checkout@/.test(step.uses ?? "") && step.with?.["persist-credentials"] !== false)
      found.push(`${place}: a checkout keeps its credentials`);
    // What is told by others would be run. Variables of the environment are not.
    if (/\$\{\{/.test(step.run ?? "")) found.push(`${place}: an expression stands in a command`);
    if (/\$\{\{/.test(step.with?.script ?? "")) found.push(`${place}: an expression stands in a script`);
  }
  return found;
}

/** By a commit, with its version behind it: a tag can be moved. */
function pinned(name, text, workflow) {
  const used = jobsOf(workflow).flatMap(([, job]) => [job.uses, ...steps(job).map((step) => step.uses)]);
  const images = jobsOf(workflow).flatMap(([, job]) => [
    job.container?.image ?? job.container,
    ...Object.values(job.services ?? {}).map((service) => service.image),
  ]);
  return [
    ...used
      .filter((each) => each && !each.startsWith("./"))
      .filter(
        (each) => !/@[0-9a-f]{40}$/.test(each) || !new RegExp(`uses: ${each} # v\\d+\\.\\d+\\.\\d+\\n`).test(text),
      )
      .map((each) => `${name}: ${each} is not pinned by its commit, with its version in a comment`),
    ...images
      .filter((image) => image && !/@sha256:[0-9a-f]{64}$/.test(image))
      .map((image) => `${name}: the image ${image} is not pinned by its digest`),
  ];
}

function fromPullRequests(name, workflow) {
  const found = [];
  for (const [id, job] of jobsOf(workflow)) {
    const place = `${name}: ${id}`;
    if (job.secrets || strings(job).some((text) => /\bsecrets\b/.test(text)))
      found.push(`${place}: a pull request gets secrets`);
    if (writes(job.permissions).length > 0) found.push(`${place}: a pull request gets rights to write`);
    if (job.environment) found.push(`${place}: a pull request gets an environment`);
    if (publishes(job)) found.push(`${place}: a pull request publishes`);
    if (listed(job["runs-on"]).includes("self-hosted"))
      found.push(`${place}: a pull request runs on a machine of ours`);
  }
  return found;
}

/** What is released is made anew: a cache holds what others left there. */
function trustworthy(name, workflow) {
  return jobsOf(workflow).flatMap(([id, job]) =>
    steps(job)
      .filter(
        ({ uses = "", with: given = {} }) =>
          /^(actions\/cache|swatinem\/rust-cache)[/@]/i.test(uses) ||
          (/^actions\/setup-node@/.test(uses) && given["package-manager-cache"] !== false) ||
          given.cache,
      )
      .map((step) => `${name}: ${id}: ${step.uses.split("@")[0]} takes what is released from a cache`),
  );
}
