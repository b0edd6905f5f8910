#!/usr/bin/env node
// Runs the binary of odd for this platform, which is in a package of its own (see optionalDependencies in package.json): passes
// arguments, input and output, signals and the way it ended through.

const { spawn } = require("node:child_process");
const { closeSync, openSync, readFileSync } = require("node:fs");

/** As odd's own: something needed is missing. */
const MISSING = 3;

/** Platforms that run the binary of another one: Windows 11 on ARM runs programs for x64. */
const ALIKE = { "win32-arm64": "win32-x64" };

const platforms = Object.keys(require("../package.json").optionalDependencies);
const platform = `${process.platform}-${process.arch}`;
const name = `@oddessentials/odd-${ALIKE[platform] ?? platform}`;

function fail(what, because, attempt) {
  process.stderr.write(`error: ${what}\n  because: ${because}\n  try: ${attempt}\n`);
  process.exit(MISSING);
}

function findBinary() {
  if (!platforms.includes(name)) {
    const known = platforms.map((each) => each.replace("@oddessentials/odd-", "")).join(", ");
    fail(
      "there is no odd for this machine",
      `it is ${platform}, and odd is built for ${known}`,
      "building it from source: https://github.com/oddessentials/distributed-task-observatory",
    );
  }
  try {
    return require.resolve(`${name}/bin/${process.platform === "win32" ? "odd.exe" : "odd"}`);
  } catch {
    return fail(
      `the package ${name} is not installed, which the binary is in`,
      "optional dependencies were left out (--omit=optional, --no-optional), or node_modules was copied from a machine of another kind",
      "npm install --include=optional @oddessentials/odd, on this machine; where node_modules is here already, remove it before",
    );
  }
}

/**
 * Whether the terminal gives its signals (Ctrl-C, hanging up) to the child itself, as to everything in the foreground. A second one from
 * here would end it at once, and unfinished.
 */
function terminalTellsChild() {
  try {
    // After the name, which may hold anything: state, parent, group, session, terminal, the group in the terminal's foreground.
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[5] === fields[2];
  } catch {
    // Not Linux: whether there is a terminal is the best that can be known.
  }
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return process.platform === "win32";
  }
}

function run(binary) {
  const passOn = (signal) => {
    if (signal === "SIGTERM" || !terminalTellsChild()) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", process.platform === "win32" ? "SIGBREAK" : "SIGQUIT"];
  // Before there is a child, so that none is left behind by a signal in between. What comes then is passed on once there is one.
  for (const signal of signals) process.on(signal, passOn);
  const child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });
  child.on("error", (error) => {
    fail(`${binary} could not be started`, error.message, "removing node_modules and installing again");
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    // Whoever started this sees the same end.
    for (const each of signals) process.off(each, passOn);
    process.kill(process.pid, signal);
  });
}

run(findBinary());
