// The verdict in one sentence, and the evidence that it rests on.

import { announce, el, fill, say } from "./dom.js";
import { ask, change, isAbsent, isOperator } from "./api.js";
import { now } from "./clock.js";
import { confirm } from "./confirm.js";
import { ago, count, duration, moment, seconds } from "./format.js";
import { panel } from "./panel.js";

/** Mark and word of each level, so that colour is never alone. @type {Record<string, [string, string]>} */
const LEVELS = {
  good: ["✓", "Good"], warning: ["▲", "Warning"], bad: ["✕", "Bad"], unknown: ["?", "Unknown"],
};
const PAST_SHOWN_MAX = 20;

export function verdict() {
  /** @type {any} */
  let answer = null;
  const level = el("span", { class: "level" });
  const sentence = el("span", { class: "sentence" });
  const since = el("span", { class: "since" });
  const evidence = el("div", { class: "evidence" });
  const details = el("details", { hidden: true }, el("summary", {}, "Evidence and remedies"), evidence);
  const line = el("p", { class: "path" });
  const probe = el("button", { type: "button", class: "quiet", hidden: true, onclick: askForProbe }, "Probe the path now");
  const own = panel("verdict", "Verdict", { json: () => answer });
  own.body.append(
    el("p", { class: "strip", role: "status" }, level, " ", sentence, " ", since), details,
    el("div", { class: "path-line" }, line, probe));

  /** @param {any} told as in `/findings`, or null */
  function tell(told) {
    const known = LEVELS[told?.level] ? told.level : "unknown";
    const [mark, word] = LEVELS[known];
    own.root.dataset.level = known;
    say(level, `${mark} ${word}`);
    say(sentence, told?.sentence ?? "There is no verdict: the monitor's rules do not run.");
    say(since, told?.since_ms ? `since ${moment(told.since_ms, now())}` : "");
    document.title = `${word} – Repono`;
  }

  async function askForProbe() {
    const yes = await confirm({
      title: "Probe the path now?", verb: "Probe",
      text: "The monitor opens connections to the balancer, leaves them idle, and finds out how long they live.",
    });
    if (!yes) return;
    const done = await change("/api/v1/path/probe");
    announce(done.ok ? "The probe has begun." : done.message);
    own.note(done.ok ? null : done.message);
  }

  return {
    root: own.root,
    tell,
    async update() {
      const reply = await ask("/api/v1/findings");
      if (!reply.ok) {
        own.note(answer && reply.status !== 404 ? reply.message : null);
        if (!answer) tell(reply.status === 404 ? null : { level: "unknown", sentence: reply.message });
        return isAbsent(reply) ? null : answer?.findings ?? [];
      }
      own.note(null);
      answer = reply.value;
      tell(answer.verdict);
      showFindings();
      showPath(answer.path);
      return answer.findings ?? [];
    },
    path: () => answer?.path,
  };

  function showFindings() {
    const all = answer.findings ?? [];
    const active = all.filter((/** @type {any} */ finding) => finding.state === "active");
    const past = all.filter((/** @type {any} */ finding) => finding.state !== "active");
    details.hidden = all.length === 0;
    say(details.firstElementChild, active.length > 0
      ? `Evidence and remedies: ${active.map((/** @type {any} */ finding) => finding.title).join("; ")}`
      : `Findings of earlier (${count(past.length)})`);
    const shown = [...active, ...past.slice(0, PAST_SHOWN_MAX)];
    const text = JSON.stringify(shown);
    // Whoever is within it reads: it is not taken away under them.
    if (evidence.dataset.shown === text || evidence.contains(document.activeElement)) return;
    evidence.dataset.shown = text;
    const before = new Map([...evidence.querySelectorAll("details")].map((known) => [known.dataset.id, known.open]));
    fill(evidence, shown.map((one) => finding(one, before.get(one.id) ?? one.state === "active")));
  }

  /** @param {any} path */
  function showPath(path) {
    probe.hidden = !(path && isOperator());
    probe.disabled = Boolean(path?.running);
    say(line, path ? pathSentence(path) : "");
  }
}

/** @param {any} path */
function pathSentence(path) {
  if (path.running) return `The path to ${path.target} is being probed.`;
  if (path.probed_ms === null) return `The path to ${path.target} has not been probed yet.`;
  const limit = path.limit_s === null || path.limit_s === undefined
    ? `connections lived through ${seconds(path.tested_to_s)} of idleness`
    : `an idle connection lives ${seconds(path.limit_s)}, then: ${path.manner}`;
  const changed = path.changed ? ` ${path.changed}` : "";
  return `Path to ${path.target}, probed ${ago(now() - path.probed_ms)}: ${limit}.${changed}`;
}

/** @param {any} one @param {boolean} open */
function finding(one, open) {
  const impact = [
    one.impact && `${count(one.impact.count)} times`,
    one.impact?.added_ms ? `${duration(one.impact.added_ms)} added` : null,
    `first ${moment(one.first_ms, now())}`, `last ${moment(one.last_ms, now())}`,
  ].filter(Boolean).join(" · ");
  return el("details", { class: "finding", "data-id": one.id, open },
    el("summary", {}, `${one.state === "active" ? "Now" : "Past"}: ${one.title}`),
    el("p", {}, one.explanation),
    facts([["Hop", one.hop], ["Confidence", one.confidence], ["Rule", one.rule], ["Impact", impact]]),
    list("Remedies", (one.remedies ?? []).map((/** @type {any} */ remedy) => [el("b", {}, remedy.who), `: ${remedy.do}`])),
    list("Evidence", (one.evidence ?? []).map((/** @type {any} */ line) => [
      el("span", { class: "place" }, `${line.file}:${line.line}`), " ", el("code", {}, line.text)])),
    list("Ruled out", one.ruled_out ?? []));
}

/** @param {[string, any][]} pairs */
function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value).map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** @param {string} title @param {any[]} items */
function list(title, items) {
  return items.length > 0 && el("div", {}, el("h3", {}, title), el("ul", {}, items.map((item) => el("li", {}, item))));
}
