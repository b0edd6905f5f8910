"use strict";

// Shows live what the read-model answers. Everything that comes from outside is written as text, never as markup.

// The token is for the terminal, which this page does not have: it is not to stay in the address.
if (location.hash.startsWith("#token=")) history.replaceState(null, "", location.pathname);

const POLL_MS = 2000;
const LONGEST_PAUSE_MS = 15000;
const ANSWER_MS = 8000;
const STALE_MS = 8000;
const JOBS = 12;
const LIVE = 8;
const DRAW_MS = 250;
const WEB_PORT = 8081;
const DEFAULT_INSTANCE = "observatory";
const EVENTS = [
  "job.created", "job.validated", "job.executed", "job.completed", "job.failed",
  "job.scheduled", "job.retrying", "job.cancelled", "job.dead_lettered",
];
const STATUS = {
  COMPLETED: ["✓", "ok"], EXECUTING: ["●", "working"], VALIDATED: ["●", "working"], PENDING: ["◌", "waiting"],
  SCHEDULED: ["◌", "waiting"], RETRYING: ["↻", "attention"], FAILED: ["✗", "bad"], CANCELLED: ["⊘", "cancelled"],
};
const HEALTH = { healthy: ["●", "ok"], degraded: ["⚠", "attention"], down: ["✗", "bad"] };
const SEVERITY = { critical: ["✗", "bad"], warning: ["⚠", "attention"] };

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

// --- Words ---

function duration(ms) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) return "–";
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${(ms < 10 ? fine : whole).format(ms)} ms`;
  if (ms < 60000) return `${tenths.format(ms / 1000)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3600) / 60)} m`;
  return `${Math.floor(hours / 24)} d`;
}

function ago(text) {
  const at = Date.parse(text);
  if (Number.isNaN(at)) return "–";
  const ms = Date.now() - at;
  return ms < 1000 ? "now" : `${duration(Math.floor(ms / 1000) * 1000)} ago`;
}

const rate = (perSecond) => (perSecond < 10 ? tenths : whole).format(perSecond);
const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

// --- Nodes ---

function node(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function write(target, text) {
  const place = typeof target === "string" ? byId(target) : target;
  if (place.textContent !== text) place.textContent = text;
}

// Rows keep their elements as long as their key is there, so that focus and selection survive.
function rows(parent, items, keyOf, make, fill) {
  const known = new Map([...parent.children].filter((row) => row.dataset.key).map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const row = known.get(key) ?? make(item);
    row.dataset.key = key;
    fill(row, item);
    return row;
  });
  const same = wanted.length === parent.children.length && wanted.every((row, at) => parent.children[at] === row);
  if (!same) parent.replaceChildren(...wanted);
}

const empty = (parent, text) => parent.replaceChildren(node("li", "muted", text));

function mark([glyph, tone]) {
  const made = node("span", `is-${tone}`, glyph);
  made.setAttribute("aria-hidden", "true");
  return made;
}

// --- Asking ---

const sources = {
  overview: { path: "/api/overview", show: showOverview },
  stats: { path: "/api/stats", show: showStats },
  jobs: { path: `/api/jobs?limit=${JOBS}`, show: showJobs },
};

async function ask(path) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw Object.assign(new Error(late ? "no answer in time" : "no connection"), { own: !late });
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) {
    throw Object.assign(new Error(body?.detail ?? `status ${response.status}`), { code: body?.code });
  }
  return body;
}

async function refresh(source) {
  if (source.asking) {
    source.again = true;
    return;
  }
  source.asking = true;
  clearTimeout(source.timer);
  try {
    const answer = await ask(source.path);
    source.show(answer);
    Object.assign(source, { at: Date.now(), error: null, pause: POLL_MS });
  } catch (error) {
    source.error = error;
    source.pause = Math.min((source.pause ?? POLL_MS) * 1.5, LONGEST_PAUSE_MS);
  }
  source.asking = false;
  showTrouble();
  const pause = source.again && !source.error ? DRAW_MS * 4 : source.pause;
  source.again = false;
  if (!document.hidden) source.timer = setTimeout(() => refresh(source), pause);
}

// --- Trouble: what is not known now is said, and what was known is dated ---

function showTrouble() {
  const failing = Object.values(sources).find((source) => source.error);
  const place = byId("trouble");
  place.hidden = !failing;
  if (failing) {
    const { own, code, message } = failing.error;
    const [what, next] = own
      ? ["Nothing answers here any more.", "Was the instance stopped? odd up starts it again, and this page goes on by itself."]
      : [`The figures cannot be had: ${message}${code ? ` (${code})` : ""}.`, "odd status tells which role is missing."];
    if (place.dataset.said !== what) {
      place.dataset.said = what;
      place.replaceChildren(node("strong", "", what), ` ${next}`);
    }
  } else {
    delete place.dataset.said;
  }
  for (const section of document.querySelectorAll("section[data-source]")) {
    const { at, error } = sources[section.dataset.source];
    const stale = Boolean(error) || (at !== undefined && Date.now() - at > STALE_MS);
    section.classList.toggle("stale", stale);
    const dated = section.querySelector(".asof");
    dated.hidden = !stale;
    if (stale) write(dated, at ? `as of ${clock(at)}, not live` : "not known yet");
  }
  if (sources.overview.error) {
    const state = byId("state");
    state.className = "state is-bad";
    write(state, "✗ not known");
    // The pages of the roles are everywhere, whatever the engine is.
    showPages(byId("pages").dataset.engine ?? "");
  }
  byId("rate").classList.toggle("muted", Boolean(sources.stats.error));
}

// --- Showing ---

function showOverview(overview) {
  const [glyph, tone] = HEALTH[overview.state] ?? ["◌", "waiting"];
  const state = byId("state");
  state.className = `state is-${tone}`;
  const firing = overview.alerts.length + (overview.alertsOmitted ?? 0);
  const alerts = firing === 0 ? "" : ` · ${whole.format(firing)} ${firing === 1 ? "alert" : "alerts"}`;
  write(state, `${glyph} ${overview.state}${alerts}`);
  write("instance", overview.instance);
  write("engine", `· ${overview.engine} · read-model up ${duration(Date.now() - Date.parse(overview.startedAt))}`);
  document.title = `${overview.instance} · odd observatory`;
  showRoles(overview);
  showAlerts(overview);
  showQueues(overview);
  showPages(overview.engine);
  showCommands(overview.instance);
}

function showRoles({ roles: all, dependencies }) {
  const things = [
    ...all.map((role) => ({ name: role.role, state: role.state, said: role.version ?? "", detail: role.detail, replicas: role.replicas })),
    ...dependencies.map((store) => ({
      name: `${store.name} (${store.adapter})`, state: store.state, detail: store.detail,
      said: store.latencyMs === undefined ? "" : duration(store.latencyMs),
    })),
  ];
  rows(byId("roles"), things, (thing) => thing.name, () => node("li"), (row, thing) => {
    const shape = HEALTH[thing.state] ?? ["◌", "waiting"];
    const name = node("span", "grow", thing.name);
    if (thing.detail) name.append(node("small", "", thing.detail));
    const processes = thing.replicas ? `${thing.replicas.ready} of ${thing.replicas.total} · ` : "";
    const said = node("span", "end muted", thing.state === "healthy" ? `${processes}${thing.said}` : `${processes}${thing.state}`);
    row.replaceChildren(mark(shape), name, said);
  });
}

function showAlerts({ alerts, alertsOmitted }) {
  const place = byId("alerts");
  if (alerts.length === 0) return empty(place, "✓ none fires");
  const shown = alerts.slice(0, 6);
  rows(place, shown, (alert) => `${alert.name} ${alert.subject}`, () => node("li"), (row, alert) => {
    const name = node("span", "grow", alert.name, node("small", "", alert.summary ?? alert.subject ?? ""));
    row.replaceChildren(mark(SEVERITY[alert.severity] ?? ["●", "working"]), name, node("span", "end muted", ago(alert.since)));
  });
  const more = alerts.length - shown.length + (alertsOmitted ?? 0);
  if (more > 0) place.append(node("li", "muted", `and ${whole.format(more)} more`));
}

function showQueues({ queues, queuesUnknown }) {
  const place = byId("queues");
  if (queues.length === 0) return empty(place, queuesUnknown ? `not known: ${queuesUnknown}` : "not known now");
  rows(place, queues, (queue) => queue.name, () => node("li"), (row, queue) => {
    const held = queue.unacknowledged ? ` + ${whole.format(queue.unacknowledged)} in hand` : "";
    const oldest = queue.oldestMs ? ` · oldest ${duration(queue.oldestMs)}` : "";
    row.replaceChildren(node("span", "grow", queue.name), node("span", "end", `${whole.format(queue.ready)}${held}${oldest}`));
  });
}

function showStats(stats) {
  write("n-total", whole.format(stats.total));
  write("n-completed", whole.format(stats.completed));
  write("n-failed", whole.format(stats.failed));
  write("n-retrying", whole.format(stats.retrying));
  const ended = stats.completed + stats.failed + stats.cancelled;
  write("n-open", whole.format(Math.max(0, stats.total - ended - stats.retrying)));
  write("rate", rate(stats.jobsPerSecond));
  const peak = Math.max(0, ...stats.throughput);
  write("peak", `${whole.format(peak)}/s`);
  for (const name of ["p50", "p90", "p99"]) write(name, duration(stats.latencyMs?.[name]));
  showChart(stats.throughput, peak);
}

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function showChart(counts, peak) {
  const place = byId("chart");
  const [width, height] = [600, 96];
  const step = width / Math.max(1, counts.length);
  const bars = counts.map((count, at) => {
    const tall = peak > 0 ? Math.max(count > 0 ? 1 : 0, (count / peak) * (height - 2)) : 0;
    return drawn("rect", { x: (at * step).toFixed(2), y: (height - tall).toFixed(2), width: (step * 0.8).toFixed(2), height: tall.toFixed(2) });
  });
  const label = `Jobs ended in each of the last ${counts.length} seconds: the highest is ${peak}, the last ${counts.at(-1) ?? 0}`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  svg.append(drawn("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }), ...bars);
  place.replaceChildren(svg);
}

function showJobs(page) {
  const none = byId("jobs-empty");
  none.hidden = page.jobs.length > 0;
  if (page.jobs.length === 0) {
    none.replaceChildren("No jobs yet. The first one: ", node("code", "", `odd submit hello${ofInstance}`));
  }
  rows(byId("jobs"), page.jobs, (job) => job.id, makeJob, fillJob);
}

function makeJob(job) {
  const row = node("tr");
  const link = node("a", "mono", job.id.slice(0, 8));
  link.href = `/api/jobs/${encodeURIComponent(job.id)}/timeline`;
  link.title = `${job.id}: its timeline, as JSON`;
  const cells = Array.from({ length: 6 }, (_, at) => node("td", at === 0 ? "name" : at === 1 ? "" : "number"));
  row.append(node("td", "", link), ...cells);
  return row;
}

function fillJob(row, job) {
  const [, type, status, attempt, queued, ran, created] = row.children;
  write(type, job.type);
  type.title = job.type;
  const said = `${job.status}`;
  if (status.dataset.said !== said) {
    status.dataset.said = said;
    const shape = STATUS[job.status] ?? ["●", "waiting"];
    status.replaceChildren(node("span", `is-${shape[1]}`, `${shape[0]} ${job.status}`));
  }
  status.title = job.error ?? "";
  write(attempt, `${job.attempt}/${job.maxAttempts}`);
  write(queued, duration(job.queuedMs));
  write(ran, duration(job.ranMs));
  write(created, ago(job.createdAt));
  created.title = job.createdAt;
}

// --- Pages and commands ---

let interfaces = null;
let ofInstance = "";

// A container may publish its port under another number; the others are then shifted by as much.
function portOf(entry) {
  const here = Number(location.port) || 0;
  const shift = Math.max(0, here - (interfaces.port || WEB_PORT));
  const port = entry.port + interfaces.portOffset + (here > 0 ? shift : 0);
  return port <= 65535 ? port : null;
}

async function showPages(engine) {
  const place = byId("pages");
  if (place.dataset.engine === engine) return;
  try {
    interfaces ??= await ask("/interfaces");
  } catch {
    return;
  }
  place.dataset.engine = engine;
  const known = interfaces.entries.some((entry) => entry.engines.includes(engine));
  const wanted = known ? engine : "embedded";
  const offered = interfaces.entries.filter((entry) => entry.id !== "dashboard" && entry.engines.includes(wanted));
  place.replaceChildren(...offered.map((entry) => {
    const port = portOf(entry);
    const link = node("a", "", entry.name);
    if (port !== null) link.href = `${location.protocol}//${location.hostname}:${port}${entry.path}`;
    const only = entry.profiles?.length ? ` Only with the profile ${entry.profiles.join(", ")}.` : "";
    return node("li", "", node("span", "grow", link, node("small", "", `${entry.description}.${only}`)), node("span", "end muted", port ?? ""));
  }));
}

function showCommands(instance) {
  const place = byId("commands");
  if (place.dataset.instance === instance) return;
  place.dataset.instance = instance;
  ofInstance = instance === DEFAULT_INSTANCE ? "" : ` --instance ${instance}`;
  const commands = [
    ["odd watch", "the whole dashboard, in a terminal"],
    ["odd submit hello --count 100 --wait", "submit a hundred jobs and wait for them"],
    ["odd jobs list --status failed", "what failed"],
    ["odd events --follow", "events as they happen"],
    ["odd verify", "whether every promise was kept"],
    ["odd urls", "every address"],
  ];
  place.replaceChildren(...commands.map(([command, what]) => {
    const text = command + ofInstance;
    const copy = node("button", "", "copy");
    copy.type = "button";
    copy.setAttribute("aria-label", `copy ${text}`);
    copy.addEventListener("click", () => copyText(text, copy));
    return node("li", "", node("span", "grow", node("code", "", text), node("small", "", what)), node("span", "end", copy));
  }));
}

async function copyText(text, button) {
  let said = "copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = "not possible here";
  }
  write(button, said);
  write("copied", `${text}: ${said}`);
  setTimeout(() => write(button, "copy"), 1500);
}

// --- Live ---

const live = { stream: null, lines: [], drawn: null };

function listen() {
  if (live.stream || document.hidden) return;
  const stream = new EventSource("/api/stream");
  live.stream = stream;
  stream.addEventListener("open", () => write("live-state", "connected"));
  stream.addEventListener("error", () => {
    write("live-state", "not connected, trying again");
    // Closed for good where the answer was no stream: then it is for us to come back.
    if (stream.readyState === EventSource.CLOSED) {
      live.stream = null;
      setTimeout(listen, POLL_MS * 2);
    }
  });
  const take = (event) => {
    // Many may come between two pictures: only what will be seen is kept, and read when it is drawn.
    live.lines.push([event.type, event.data]);
    if (live.lines.length > LIVE) live.lines.shift();
    live.drawn ??= setTimeout(draw, DRAW_MS);
  };
  for (const type of EVENTS) stream.addEventListener(type, take);
}

function unlisten() {
  live.stream?.close();
  live.stream = null;
}

function draw() {
  live.drawn = null;
  byId("live-empty").hidden = true;
  byId("live").replaceChildren(...live.lines.toReversed().map(([type, data]) => {
    let event = {};
    try {
      event = JSON.parse(data);
    } catch {
      // It is shown by its type alone.
    }
    const at = typeof event.occurredAt === "string" ? event.occurredAt.slice(11, 23) : "";
    const id = String(event.payload?.id ?? event.payload?.jobId ?? event.idempotencyKey ?? "").slice(0, 8);
    return node("li", "", node("span", "muted", at), node("span", toneOf(type), type), node("span", "grow", id));
  }));
  refresh(sources.jobs);
}

function toneOf(type) {
  if (type === "job.completed") return "is-ok";
  if (type === "job.failed" || type === "job.dead_lettered") return "is-bad";
  if (type === "job.retrying") return "is-attention";
  if (type === "job.cancelled") return "is-cancelled";
  return "is-working";
}

// --- A page that nobody sees asks nothing ---

function wake() {
  if (document.hidden) {
    unlisten();
    for (const source of Object.values(sources)) clearTimeout(source.timer);
    return;
  }
  listen();
  for (const source of Object.values(sources)) refresh(source);
}

showCommands(DEFAULT_INSTANCE);
document.addEventListener("visibilitychange", wake);
setInterval(showTrouble, 2000);
wake();
