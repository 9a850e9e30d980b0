// What changed, and when: marks above the chart, lines in it, and a list beside it.

import { el, fill, say } from "./dom.js";
import { now } from "./clock.js";
import { count, moment } from "./format.js";
import { ink } from "./palette.js";
import { panel } from "./panel.js";
import { span } from "./ranges.js";
import { view } from "./state-in-url.js";

/** @typedef {{at: number, kind: "drain"|"state"|"change"|"probe"|"finding", text: string}} Mark */

/** @type {Record<Mark["kind"], [string, string]>} */
const KINDS = {
  drain: ["▼", "Drain"], state: ["■", "State"], change: ["◆", "Configuration"], probe: ["●", "Path"], finding: ["!", "Finding"],
};
/** Marks closer than a finger are one. */
const APART_PX = 26;
const LISTED_MAX = 60;

/** @param {(at: number) => number|null} place the pixel of a time */
export function annotations(place) {
  /** @type {Mark[]} */
  let marks = [];
  const lane = el("ul", { "aria-label": "What changed, on the time axis" });
  const tip = el("div", { class: "tip", hidden: true });
  const own = panel("changes", "What changed", { json: () => marks });
  const list = el("ol", { class: "marks", tabindex: "0", "aria-label": "What changed, the newest first" });
  own.body.append(list);

  function show() {
    const inRange = visible();
    placeMarks(inRange);
    const rest = marks.filter((mark) => !inRange.includes(mark));
    const shown = [...inRange, ...rest].sort((a, b) => b.at - a.at).slice(0, LISTED_MAX);
    own.note(marks.length > 0 ? null : "Nothing has been changed since the journals begin.");
    fill(list, shown.map((mark) => item(mark, inRange.includes(mark))));
    list.hidden = marks.length === 0;
  }

  function visible() {
    const { from, to } = span(view());
    return marks.filter(({ at }) => at >= from * 1000 && at <= to * 1000);
  }

  /** @param {Mark[]} shown */
  function placeMarks(shown) {
    const key = JSON.stringify(shown.map((mark) => [mark.text, Math.round(place(mark.at) ?? -1)]));
    if (lane.dataset.shown === key) return;
    lane.dataset.shown = key;
    const focused = lane.contains(document.activeElement);
    fill(lane, groups(shown, place).map((group) => button(group, tip)));
    tip.hidden = true;
    if (focused) lane.querySelector("button")?.focus();
  }

  return {
    lane: el("div", { class: "lane" }, lane, tip),
    root: own.root,
    /** @param {any[]} changes @param {any[]} findings @param {any} path */
    set(changes, findings, path) {
      marks = marksOf(changes, findings, path);
      show();
    },
    show,
    failed: (/** @type {string} */ message) => own.failed(message, marks.length),
    place: () => placeMarks(visible()),
    /** The lines in the chart. @param {any} u */
    lines(u) {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.lineWidth = devicePixelRatio;
      for (const { at, kind } of visible()) {
        const x = Math.round(u.valToPos(at / 1000, "x", true));
        ctx.strokeStyle = ink(`mark-${kind}`);
        ctx.setLineDash(kind === "probe" ? [2, 4] : []);
        ctx.globalAlpha = 0.7;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    },
  };
}

/** @param {any[]} changes @param {any[]} findings @param {any} path @returns {Mark[]} */
function marksOf(changes, findings, path) {
  const told = changes.map((change) => ({
    at: change.at_ms, kind: kindOf(change),
    text: `${change.what}: ${change.from || "–"} → ${change.to || "–"}, by ${change.who || "nobody named"}`,
  }));
  const found = findings.map((finding) => ({
    at: finding.first_ms, kind: /** @type {const} */ ("finding"), text: finding.title,
  }));
  const probed = path?.probed_ms
    ? [{ at: path.probed_ms, kind: /** @type {const} */ ("probe"), text: path.changed ?? `The path to ${path.target} was probed.` }]
    : [];
  return [...told, ...found, ...probed].sort((a, b) => b.at - a.at);
}

/** @param {any} change @returns {Mark["kind"]} */
function kindOf(change) {
  if (/^path\b/.test(change.what)) return "probe";
  if (!/\.state$/.test(change.what)) return "change";
  return [change.from, change.to].includes("draining") ? "drain" : "state";
}

/** @param {Mark[]} marks the newest first @param {(at: number) => number|null} place */
function groups(marks, place) {
  /** @type {{x: number, marks: Mark[]}[]} */
  const all = [];
  for (const mark of [...marks].reverse()) {
    const x = place(mark.at);
    const last = all.at(-1);
    if (x === null || !Number.isFinite(x)) continue;
    if (last && x - last.x < APART_PX) last.marks.push(mark);
    else all.push({ x, marks: [mark] });
  }
  return all;
}

/** @param {{x: number, marks: Mark[]}} group @param {HTMLElement} tip */
function button({ x, marks }, tip) {
  const [mark] = KINDS[marks[0].kind];
  const text = marks.map(({ at, text: what }) => `${moment(at, now())} ${what}`).join("\n");
  const show = () => {
    say(tip, text);
    tip.hidden = false;
    const room = (tip.parentElement?.clientWidth ?? 0) - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(x - 12, room))}px`;
  };
  const hide = () => { tip.hidden = true; };
  const element = el("button", {
    type: "button", class: `mark mark-${marks[0].kind}`,
    "aria-label": marks.length > 1 ? `${count(marks.length)} at about one time: ${text}` : text,
    onfocus: show, onblur: hide, onpointerenter: show, onpointerleave: hide,
    onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") hide(); },
  }, marks.length > 1 ? count(marks.length) : mark);
  const item = el("li", {}, element);
  item.style.left = `${x - 12}px`;
  return item;
}

/** @param {Mark} mark @param {boolean} inRange */
function item({ at, kind, text }, inRange) {
  const [mark, word] = KINDS[kind];
  return el("li", { class: inRange ? null : "outside" },
    el("span", { class: `glyph mark-${kind}`, "aria-hidden": "true" }, mark),
    el("time", { datetime: new Date(at).toISOString() }, moment(at, now())), " ",
    el("span", {}, el("span", { class: "unseen" }, `${word}: `), text));
}
