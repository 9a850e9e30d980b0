// Puts the panels on the page, and feeds them.

import { announce, el, fill, say } from "./dom.js";
import { ask, whenLoggedOut, whoIs } from "./api.js";
import { chart } from "./chart.js";
import { learn, now } from "./clock.js";
import { closes } from "./closes.js";
import { compare } from "./compare.js";
import { controls } from "./controls.js";
import { moment } from "./format.js";
import { grid } from "./grid.js";
import { heads } from "./heads.js";
import { heatmap } from "./heatmap.js";
import { live } from "./live.js";
import { period } from "./ranges.js";
import { every, hold, soon, start } from "./schedule.js";
import { slowest } from "./slowest.js";
import { view, watch } from "./state-in-url.js";
import { timeline } from "./timeline.js";
import { verdict } from "./verdict.js";

const standing = el("span", { role: "status", class: "standing" });
const banner = el("p", { class: "banner", hidden: true });
const compared = compare();
const panels = {
  verdict: verdict(), chart: chart(), heatmap: heatmap((box) => compared.box(box)), heads: heads(),
  connections: grid(), closes: closes(), slowest: slowest(), connection: timeline(),
};
let isPaused = false;
let isLoggedOut = false;
let isStreaming = false;
/** @type {any[]} */
let findings = [];
/** @type {any[]} */
let changes = [];
let lastVerdict = "";

const top_ = controls({
  paused(value) {
    isPaused = value;
    hold(value || isLoggedOut);
    wantStream();
    if (value) stand("off", `Paused at ${moment(now(), now())}`);
    announce(value ? "Paused." : "Goes on.");
  },
  repaint,
});

const stream = live({
  state(state) {
    learn(state.at_ms);
    if (state.heads) showHeads(state.heads);
    if (!panels.chart.second(state.latency)) soon("series");
    if (state.verdict) {
      panels.verdict.tell(state.verdict);
      const text = JSON.stringify([state.verdict.level, state.verdict.sentence, state.verdict.findings]);
      if (lastVerdict !== text) soon("findings");
      lastVerdict = text;
    }
  },
  standing(value) {
    isStreaming = value === "live";
    const words = {
      connecting: "Connecting …", live: "● Live", lost: "▲ The monitor does not answer; trying again …",
      polling: "● Asking every 2 s (no stream)", off: isPaused ? `Paused at ${moment(now(), now())}` : "Asleep",
    };
    if (!isLoggedOut) stand(value, words[value]);
  },
  back() {
    if (standing.dataset.standing === "lost") announce("The monitor is back.");
    backAt = now();
    soon();
    whoIs().then(top_.session);
  },
  async refused() {
    const answer = await ask("/api/v1/heads");
    return answer.ok || answer.status === 404 ? "absent" : "failed";
  },
});
let backAt = 0;
/** How long the page says that the monitor was away. */
const BACK_TOLD_MS = 15_000;

/** @param {string} kind @param {string} text */
function stand(kind, text) {
  standing.dataset.standing = kind;
  const wasAway = kind === "live" && now() - backAt < BACK_TOLD_MS;
  say(standing, wasAway ? `● Live again since ${moment(backAt, now())}` : text);
}

function wantStream() {
  stream.want(!isPaused && !isLoggedOut && !document.hidden);
}

/** @param {any} told */
function showHeads(told) {
  panels.heads.tell(told);
  panels.slowest.filters.heads(told.heads.map((/** @type {any} */ head) => head.name));
  const name = document.getElementById("monitor");
  if (name && told.monitor) say(name, told.monitor);
}

function repaint() {
  panels.chart.redraw();
  panels.heatmap.redraw();
  panels.connections.redraw();
}

function showMarks() {
  panels.chart.marks.set(changes, findings, panels.verdict.path());
}

async function updateChanges() {
  const answer = await ask("/api/v1/changes");
  if (answer.ok) {
    changes = answer.value.changes;
    showMarks();
  } else panels.chart.marks.failed(answer.message);
}

function register() {
  const byRange = () => period(view().range);
  every("series", byRange, panels.chart.update);
  every("heatmap", byRange, panels.heatmap.update);
  every("heads", () => (isStreaming ? 60 : 2), async () => {
    const told = await panels.heads.update();
    if (told) showHeads(told);
  });
  every("findings", () => 10, async () => {
    const told = await panels.verdict.update();
    findings = told ?? [];
    showMarks();
    return told === null ? "absent" : undefined;
  });
  every("changes", () => 10, updateChanges);
  every("slowest", () => 5, panels.slowest.update);
  every("closes", () => 5, panels.closes.update);
  every("connections", () => 5, panels.connections.update);
  every("connection", () => 5, panels.connection.update);
}

/** @param {Set<string>} changed */
function looked(changed) {
  const has = (/** @type {string[]} */ ...keys) => keys.some((key) => changed.has(key));
  sayView();
  if (has("range", "from", "to", "side")) {
    compared.box(null);
    panels.heatmap.clear();
    soon("series", "heatmap", "slowest");
  }
  if (has("head", "method", "status", "reused")) soon("slowest");
  if (has("connection")) soon("connection");
  if (has("scale", "zone")) repaint();
  if (has("zone")) soon();
  showMarks();
}

function sayView() {
  top_.say();
  panels.chart.say();
  panels.slowest.filters.say();
}

function build() {
  const main = document.getElementById("main");
  const bar = document.getElementById("bar");
  if (!main || !bar) return;
  bar.append(standing, top_.root);
  fill(main, [
    banner, panels.verdict.root,
    el("div", { class: "pair" }, panels.chart.root, panels.chart.marks.root),
    el("div", { class: "pair" }, panels.heatmap.root, compared.root),
    panels.heads.root,
    el("div", { class: "pair even" }, panels.connections.root, panels.closes.root),
    panels.slowest.root, panels.connection.root,
  ]);
}

/** How often a page without a log-in looks whether another window has brought one. */
const LOGIN_AGAIN_MS = 5000;

/** Nothing is asked for until somebody is logged in again. */
function loggedOut() {
  if (isLoggedOut) return;
  isLoggedOut = true;
  banner.hidden = false;
  fill(banner, ["▲ You are not logged in (any more): what is shown is old. ", el("a", { href: "/login" }, "Log in")]);
  hold(true);
  wantStream();
  stand("lost", "▲ Not logged in");
  const again = setInterval(async () => {
    if (document.hidden) return;
    const session = await whoIs();
    if (!session.user) return;
    clearInterval(again);
    isLoggedOut = false;
    banner.hidden = true;
    top_.session(session);
    hold(isPaused);
    wantStream();
  }, LOGIN_AGAIN_MS);
}

whenLoggedOut(loggedOut);
build();
sayView();
register();
watch((_, changed) => looked(changed));
document.addEventListener("visibilitychange", () => {
  wantStream();
  if (!document.hidden && !isPaused) soon();
});
whoIs().then((session) => {
  top_.session(session);
  wantStream();
  start();
});
