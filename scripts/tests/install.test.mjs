// install.sh against a host of releases on this machine: what it installs, upgrades and removes, and that every failure says what is wrong
// and leaves what was there. Under every shell that is here.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  binary,
  folder,
  portOffset,
  release,
  root,
  run,
  serve,
  sha256,
  shared,
  start,
  target,
  tree,
  until,
  version,
  which,
} from "./support.mjs";

const script = readFileSync(join(root, "install.sh"), "utf8");

/** Each runs the script from its standard input, as `curl … | sh` does. */
const shells = [
  ["dash", "dash"],
  ["bash", "bash", "--posix"],
  ["busybox", "busybox", "sh"],
  ["sh", "sh"],
].filter(([, program]) => which(program));
// What sh is, is one of the others most of the time.
if (shells.length > 1) shells.pop();

const old = "0.0.1";
const other = "9.9.9";

const releases = folder(shared);
const real = binary(folder(shared));
writeFileSync(join(releases, "THIRD-PARTY-NOTICES.txt"), "of others\n");
const made = await run([join(root, "scripts/archive.sh"), real, target, releases]);
assert.equal(made.code, 0, made.stderr);
for (const number of [old, other]) await release(releases, number);
const packed = new Map(readdirSync(releases).map((name) => [name, readFileSync(join(releases, name))]));

function archive(number) {
  return `odd-${number}-${target}.tar.gz`;
}

/** A host with the three releases, of which the real one is the latest. */
async function host(t) {
  const server = await serve(t);
  for (const number of [version, old, other]) put(server, number, packed.get(archive(number)));
  server.files.set("/latest/download/VERSION", Buffer.from(`${version}\n`));
  return server;
}

function put(server, number, bytes) {
  server.files.set(`/download/v${number}/${archive(number)}`, bytes);
  server.files.set(
    `/download/v${number}/SHA256SUMS`,
    Buffer.from(`${"0".repeat(64)}  other.tar.gz\n${sha256(bytes)}  ${archive(number)}\n`),
  );
}

/** A machine of the test's own: a home, a place for temporary files, an environment without anything of ours. */
function machine(t, server) {
  const at = folder(t);
  const [home, temporary] = [join(at, "home of somebody"), join(at, "tmp")];
  for (const each of [home, temporary]) mkdirSync(each);
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: temporary,
    LANG: "C.UTF-8",
    SHELL: "/bin/bash",
    ODD_INSTALL_BASE_URL: server.base,
  };
  return { at, home, temporary, prefix: join(home, ".local"), env };
}

function command(shell, args) {
  const [, program, ...own] = shell;
  return [which(program), ...own, "-s", "--", ...args];
}

function install(shell, at, args = [], env = {}) {
  return run(command(shell, args), { input: script, env: { ...at.env, ...env }, cwd: at.at });
}

async function installed(shell, at, args = []) {
  const done = await install(shell, at, args);
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(done.stderr, "");
  return done.stdout;
}

async function says(at) {
  const told = await run([join(at.prefix, "bin/odd"), "version"], { env: at.env });
  assert.equal(told.code, 0, told.stderr);
  return told.stdout.split(/\s+/)[1];
}

/** A folder with these programs only, to be the whole PATH. */
function only(at, ...programs) {
  const path = join(at.at, "programs");
  mkdirSync(path);
  const usual = [
    "uname",
    "sh",
    "cat",
    "cp",
    "mv",
    "rm",
    "rmdir",
    "mkdir",
    "chmod",
    "sed",
    "grep",
    "tail",
    "env",
    "sleep",
  ];
  for (const program of [...usual, ...programs]) symlinkSync(which(program), join(path, program));
  return path;
}

const all = ["curl", "tar", "gzip", "mktemp", "sort", "sha256sum"];

for (const shell of shells) {
  const begun = machine(shared, await host(shared));
  await installed(shell, begun, ["--version", old]);
  const withOld = begun.home;

  describe(`install.sh under ${shell[0]}`, { concurrency: 2 }, () => {
    test("installs the latest from nothing, again without change, and removes exactly that", async (t) => {
      const at = machine(t, await host(t));
      const said = await installed(shell, at);
      assert.equal(await says(at), version);
      assert.match(said, /✓ SHA-256 verified/);
      assert.match(said, new RegExp(`✓ odd ${version.replaceAll(".", "\\.")} is in`));
      assert.match(said, /not on your PATH.*>>~\/\.bashrc/s);
      const there = tree(at.prefix);
      for (const file of [
        "share/man/man1/odd.1",
        "share/man/man1/odd-up.1",
        "share/bash-completion/completions/odd",
        "share/zsh/site-functions/_odd",
        "share/fish/vendor_completions.d/odd.fish",
        "share/odd/installed",
      ]) {
        assert.match(there[file] ?? "missing", /^644 /, file);
      }
      assert.match(there["bin/odd"], /^755 /);
      assert.equal(statSync(join(at.prefix, "bin/odd")).size, statSync(real).size);

      await installed(shell, at);
      assert.deepEqual(tree(at.prefix), there);

      // What others have put there stays, and the folders that it is in. The data of instances is such.
      mkdirSync(join(at.prefix, "share/odd/instances"));
      for (const file of ["share/odd/instances/data", "share/man/man1/other.1", "bin/other"])
        writeFileSync(join(at.prefix, file), "kept");
      await installed(shell, at, ["--uninstall"]);
      assert.deepEqual(Object.keys(tree(at.prefix)), [
        "bin/",
        "bin/other",
        "share/",
        "share/man/",
        "share/man/man1/",
        "share/man/man1/other.1",
        "share/odd/",
        "share/odd/instances/",
        "share/odd/instances/data",
      ]);
      assert.deepEqual(tree(at.temporary), {});
    });

    test("installs a version that is named, elsewhere, and another over it without what that lacks", async (t) => {
      const server = await host(t);
      const at = machine(t, server);
      at.prefix = join(at.at, "new/place");
      await installed(shell, at, [`--version=v${old}`, "--prefix", at.prefix]);
      assert.equal(await says(at), old);
      const said = await installed(shell, at, ["--version", other, "--prefix", "new/place/"]);
      assert.match(said, new RegExp(`where ${old.replaceAll(".", "\\.")} was`));
      assert.equal(await says(at), other);
      assert.deepEqual(readdirSync(join(at.prefix, "share/man/man1")), [`odd-of-${other}.1`, "odd-up.1", "odd.1"]);
      await installed(shell, at, ["--uninstall", "--prefix", at.prefix]);
      assert.deepEqual(tree(at.prefix), {});
      assert.ok(!server.asked.includes("/latest/download/VERSION"));
    });

    test("takes wget where there is no curl, and what there is to verify with", async (t) => {
      if (!which("wget")) return t.skip("there is no wget here");
      const at = machine(t, await host(t));
      for (const hasher of ["shasum", "openssl"].filter(which)) {
        at.env.PATH = only(
          at,
          "wget",
          "tar",
          "gzip",
          "mktemp",
          "sort",
          hasher,
          ...(hasher === "shasum" ? ["perl"] : []),
        );
        await installed(shell, at, ["--version", other]);
        assert.equal(await says(at), other);
        rmSync(at.env.PATH, { recursive: true });
      }
    });

    /** Runs into a failure with a version in place: it says so, ends with this code, and nothing is different. */
    async function fails(t, code, message, args, prepare = () => ({})) {
      const server = await host(t);
      const at = machine(t, server);
      cpSync(withOld, at.home, { recursive: true });
      const env = (await prepare(server, at)) ?? {};
      const before = tree(at.home);
      const done = await install(shell, at, args, env);
      assert.match(done.stderr, message);
      assert.match(done.stderr, /^error: .+\n {2}because: .+\n {2}try: .+\n$/);
      assert.equal(done.code, code, done.stderr);
      assert.deepEqual(tree(at.home), before);
      assert.deepEqual(tree(at.temporary), {});
    }

    const cutShort = (bytes) => (_, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, bytes.length - 100), () => response.socket.destroy());
    };
    const withoutLength = (bytes) => (_, response) => {
      // HTTP/1.0 as it were: the body ends where the connection does.
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.removeHeader("transfer-encoding");
      response.writeHead(200, { connection: "close" });
      response.end(bytes.subarray(0, bytes.length - 100));
    };
    const at9 = `/download/v${other}/${archive(other)}`;
    const set = (path, file) => (server) => void server.files.set(path, file);
    const sums = (text) => set(`/download/v${other}/SHA256SUMS`, Buffer.from(text));
    const named = ["--version", other];

    const failures = [
      [
        "a wrong checksum",
        6,
        /is not what was released\n {2}because: its SHA-256 is .* and SHA256SUMS says 1111/,
        named,
        sums(`${"1".repeat(64)}  ${archive(other)}\n`),
      ],
      [
        "checksums that do not name the archive",
        6,
        /cannot be verified\n.*does not name odd-9\.9\.9/,
        named,
        sums(`${"1".repeat(64)}  another\n`),
      ],
      [
        "no checksums",
        1,
        /checksums of odd 9\.9\.9 could not be downloaded\n.*is not there \(404\)/,
        named,
        (server) => void server.files.delete(`/download/v${other}/SHA256SUMS`),
      ],
      ["a version that does not exist", 1, /is not there \(404\)/, ["--version", "7.7.7"]],
      [
        "a release without this platform",
        1,
        /odd 9\.9\.9 for .* could not be downloaded\n.*\(404\)/,
        named,
        (server) => void server.files.delete(at9),
      ],
      [
        "a connection that is cut",
        1,
        /could not be downloaded/,
        named,
        (server) => void server.files.set(at9, cutShort(packed.get(archive(other)))),
      ],
      [
        "a connection that is cut, to wget",
        1,
        /could not be downloaded\n.*: (the connection broke|wget: .*closed)/,
        named,
        (server, at) => {
          server.files.set(at9, cutShort(packed.get(archive(other))));
          return { PATH: only(at, "wget", ...all.filter((tool) => tool !== "curl")) };
        },
      ],
      [
        "a download that ends early without telling its length",
        6,
        /is not what was released.*may have been cut short/s,
        named,
        (server) => void server.files.set(at9, withoutLength(packed.get(archive(other)))),
      ],
      [
        "a server that breaks",
        1,
        /could not be downloaded\n.*50[0-9]/,
        named,
        set(at9, (_, response) => response.writeHead(501).end()),
      ],
      [
        "a server that is away",
        1,
        /could not be downloaded.*once the network is there/s,
        [],
        () => ({ ODD_INSTALL_BASE_URL: "http://127.0.0.1:1" }),
      ],
      [
        "a latest that names no version",
        6,
        /latest version is not known/,
        [],
        set("/latest/download/VERSION", Buffer.from("<html>")),
      ],
      [
        "a latest that leads elsewhere",
        6,
        /latest version is not known/,
        [],
        set("/latest/download/VERSION", Buffer.from("1.2.3/../..")),
      ],
      [
        "an archive that is none",
        1,
        /could not be unpacked/,
        named,
        (server) => put(server, other, Buffer.from("no archive")),
      ],
      [
        "an archive of another release",
        6,
        /there is no odd in it/,
        named,
        (server) => put(server, other, packed.get(archive(old))),
      ],
      [
        "a binary of another version",
        6,
        /calls itself 1\.1\.1/,
        named,
        async (server, at) => put(server, other, readFileSync(join(at.at, await release(at.at, other, "1.1.1")))),
      ],
      [
        "a binary that does not run",
        6,
        /does not run here\n.*its exit code is 1/,
        named,
        async (server, at) =>
          put(server, other, readFileSync(join(at.at, await release(at.at, other, '"; exit 1; "')))),
      ],
      [
        "a binary that may not be replaced",
        3,
        /bin\/odd is a directory/,
        ["--version", other, "--prefix", "odd"],
        (_, at) => void mkdirSync(join(at.at, "odd/bin/odd"), { recursive: true }),
      ],
      [
        "a prefix whose bin is a file",
        3,
        /file\/bin is no directory/,
        ["--version", other, "--prefix", "file"],
        (_, at) => {
          mkdirSync(join(at.at, "file"));
          writeFileSync(join(at.at, "file/bin"), "");
        },
      ],
      ["no place for temporary files", 1, /no place for what is downloaded/, named, () => ({ TMPDIR: "/nowhere" })],
      ["a version that is none", 2, /1\/2 is no version/, ["--version", "1/2"]],
      ["an option that is none", 2, /there is no --fast/, ["--fast"]],
      ["an option without its value", 2, /--prefix has no value/, ["--prefix"]],
      ["no home", 2, /HOME is not set/, named, () => ({ HOME: "" })],
      ["another operating system", 3, /it runs Plan9/, named, pretends("Plan9", "x86_64")],
      ["another processor", 3, /its processor is riscv64/, named, pretends("Linux", "riscv64")],
      ["Windows", 3, /install\.ps1/, named, pretends("MINGW64_NT-10.0", "x86_64")],
      ...all.map((tool) => [
        `no ${tool}`,
        3,
        tool === "sha256sum" ? /none of sha256sum, shasum and openssl/ : new RegExp(`no.* ${tool}|${tool} nor`),
        named,
        (_, at) => ({ PATH: only(at, ...all.filter((each) => each !== tool)) }),
      ]),
      ["nothing to remove", 1, /there is nothing to remove/, ["--uninstall", "--prefix", "elsewhere"]],
    ];
    for (const [what, code, message, args, prepare] of failures) {
      if (what.endsWith("wget") && !which("wget")) continue;
      test(`says so: ${what}`, (t) => fails(t, code, message, args, prepare));
    }

    function pretends(system, processor) {
      return (_, at) => {
        const path = only(at, ...all);
        rmSync(join(path, "uname"));
        writeFileSync(join(path, "uname"), `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${processor}\n`);
        chmodSync(join(path, "uname"), 0o755);
        return { PATH: path };
      };
    }

    test("leaves nothing behind where there was nothing", async (t) => {
      const server = await host(t);
      const broken = machine(t, server);
      put(server, other, readFileSync(join(broken.at, await release(broken.at, other, "1.1.1"))));
      const done = await install(shell, broken, ["--version", other]);
      assert.equal(done.code, 6, done.stderr);
      assert.deepEqual(tree(broken.home), {});
    });

    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ]) {
      for (const [whom, pid] of [
        ["the shell", (child) => child.pid],
        ["all, as a terminal does", (child) => -child.pid],
      ]) {
        test(`${signal} to ${whom} in the middle of a download leaves nothing behind`, async (t) => {
          const server = await host(t);
          const at = machine(t, server);
          cpSync(withOld, at.home, { recursive: true });
          const before = tree(at.home);
          let stalls = false;
          server.files.set(at9, (_, response) => {
            response.writeHead(200, { "content-length": 1000 });
            response.write("some", () => (stalls = true));
          });
          // Long before the download would be given up.
          const running = start(command(shell, named), { input: script, env: at.env, cwd: at.at, seconds: 15 });
          await until("the download has begun", () => stalls);
          process.kill(pid(running.child), signal);
          const done = await running.ended;
          assert.equal(done.code, code, done.stderr);
          assert.match(done.stderr, /interrupted: nothing was changed/);
          assert.deepEqual(tree(at.home), before);
          assert.deepEqual(tree(at.temporary), {});
        });
      }
    }

    test("does nothing where it was itself cut off", async (t) => {
      const at = machine(t, await host(t));
      for (const length of [script.length / 3, script.length / 2, script.length - 8, script.length - 3]) {
        await run(command(shell, named), { input: script.slice(0, length), env: at.env, cwd: at.at });
        assert.deepEqual(tree(at.home), {}, `after ${length} characters`);
      }
    });
  });
}

const shell = shells[0];

test("an upgrade while odd runs leaves it running", async (t) => {
  const at = machine(t, await host(t));
  await installed(shell, at);
  const offset = await portOffset();
  const running = start([join(at.prefix, "bin/odd"), "serve", "all", "--port-offset", offset], {
    env: { ...at.env, ODD_HOME: join(at.at, "data") },
  });
  t.after(() => running.child.exitCode ?? running.child.kill("SIGKILL"));
  const answers = () =>
    fetch(`http://127.0.0.1:${3000 + Number(offset)}/healthz`).then(
      (response) => response.ok,
      () => false,
    );
  await until("the gateway answers", answers);
  await installed(shell, at, ["--version", other]);
  assert.equal(await says(at), other);
  assert.ok(await answers());
  await installed(shell, at);
  running.child.kill("SIGTERM");
  assert.equal((await running.ended).code, 0);
});

test("says that another odd comes first, or nothing where this one does", async (t) => {
  const at = machine(t, await host(t));
  mkdirSync(join(at.at, "first"));
  writeFileSync(join(at.at, "first/odd"), "");
  chmodSync(join(at.at, "first/odd"), 0o755);
  const path = at.env.PATH;
  at.env.PATH = `${join(at.at, "first")}:${join(at.prefix, "bin")}:${path}`;
  assert.match(await installed(shell, at, ["--version", other]), /first\/odd comes before it on your PATH/);
  at.env.PATH = `${join(at.prefix, "bin")}:${path}`;
  assert.doesNotMatch(await installed(shell, at, ["--version", other]), /PATH/);
});

test("puts the advice on the PATH as the user's shell likes it", async (t) => {
  const at = machine(t, await host(t));
  for (const [name, advice] of [
    ["zsh", /~\/\.zshrc && exec zsh.*fpath=/s],
    ["fish", /fish_add_path/],
    ["ksh", /~\/\.profile/],
  ]) {
    at.env.SHELL = `/bin/${name}`;
    assert.match(await installed(shell, at, ["--version", other]), advice);
  }
});

test("needs no characters that a terminal may lack", async (t) => {
  const at = machine(t, await host(t));
  at.env.LANG = "C";
  assert.match(await installed(shell, at, ["--version", other]), /^\p{ASCII}*$/u);
});

test("without the right to write, nothing is downloaded", async (t) => {
  const server = await host(t);
  const at = machine(t, server);
  await installed(shell, at, ["--version", old]);
  const before = tree(at.home);
  let enter = [];
  if (process.getuid() === 0) {
    if (!which("setpriv")) return t.skip("root may write anywhere, and there is no setpriv");
    enter = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  }
  chmodSync(at.temporary, 0o777);
  server.asked.length = 0;
  const ends = [];
  chmodSync(join(at.prefix, "bin"), 0o555);
  for (const args of [["--version", other], ["--uninstall"]]) {
    ends.push(await run([...enter, ...command(shell, args)], { input: script, env: at.env, cwd: at.at }));
  }
  // A folder that cannot be written would stay.
  chmodSync(join(at.prefix, "bin"), 0o755);
  for (const done of ends) {
    assert.equal(done.code, 3, done.stderr);
    assert.match(done.stderr, /you may not write to/);
  }
  assert.deepEqual(server.asked, []);
  assert.deepEqual(tree(at.home), before);
});

test("without room, the version that was there stays", async (t) => {
  const enter = await ownMounts();
  if (!enter) return t.skip("a disk that is full cannot be made here: mounting needs a right");
  const server = await host(t);
  const at = machine(t, server);
  const big = await release(at.at, other, other, randomBytes(3_000_000).toString("base64"));
  put(server, other, readFileSync(join(at.at, big)));
  const files = join(at.at, "install.sh");
  writeFileSync(files, script);
  for (const [small, message] of [
    [at.temporary, /could not be downloaded\n {2}because: there is no room in .*tmp/],
    [at.home, /cannot be installed in .*\n {2}because: there is no room in/],
  ]) {
    // The disk is there for these commands only; they tell what is on it in the end.
    const steps =
      'mount -t tmpfs -o size=2m none "$SMALL" && sh "$FILE" --version "$OLD" >&2 && sh "$FILE" --version "$NEW"; echo "code $?"; ' +
      'find "$HOME" "$TMPDIR" ! -type d; "$HOME/.local/bin/odd" version';
    const done = await run([...enter, "sh", "-c", steps], {
      env: { ...at.env, SMALL: small, FILE: files, OLD: old, NEW: other },
    });
    assert.match(done.stderr, message);
    assert.match(done.stdout, /^code 1$/m);
    assert.match(done.stdout, /^odd {8}0\.0\.1$/m);
    assert.doesNotMatch(done.stdout, /^\/.*(odd-install|9\.9\.9)/m);
    rmSync(at.prefix, { recursive: true, force: true });
  }
});

/** What a command is run by that may mount: as root, or in a namespace where it is. */
async function ownMounts() {
  if (!which("unshare")) return null;
  for (const enter of [
    ["unshare", "--mount"],
    ["unshare", "--map-root-user", "--mount"],
  ]) {
    const tried = await run([...enter, "mount", "-t", "tmpfs", "none", "/mnt"]);
    if (tried.code === 0) return enter;
  }
  return null;
}

test("help tells every option and every exit code", async () => {
  const done = await run(["sh", "-s", "--", "--help"], { input: script });
  assert.equal(done.code, 0);
  for (const option of ["--version", "--prefix", "--uninstall", "--help", "ODD_INSTALL_BASE_URL"])
    assert.ok(done.stdout.includes(option));
  const codes = new Set([...script.matchAll(/(?:fail|interrupted) (\d+)/g)].map((match) => match[1]));
  for (const code of codes) assert.match(done.stdout, new RegExp(`\\b${code} `), code);
});

test("install.ps1 knows the same codes, addresses and names", () => {
  const windows = readFileSync(join(root, "install.ps1"), "utf8");
  assert.match(windows, /^\p{ASCII}*$/u);
  for (const text of [
    "https://github.com/oddessentials/distributed-task-observatory/releases",
    "/latest/download/VERSION",
    "SHA256SUMS",
    "ODD_INSTALL_BASE_URL",
  ]) {
    assert.ok(windows.includes(text), text);
    assert.ok(script.includes(text), text);
  }
  const codes = (text, pattern) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]))].sort();
  assert.deepEqual(codes(windows, /Stop-Install (\d+)/g), codes(script, /fail (\d+)/g));
});
