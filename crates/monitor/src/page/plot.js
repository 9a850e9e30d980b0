// How uPlot draws response times: lines, scales, the 10 s line, and the range that is
// dragged over.

import { bound, tick } from "./format.js";
import { ink } from "./palette.js";
import { TICKS } from "./ranges.js";
import { look, view } from "./state-in-url.js";

/** @typedef {{key: "p50"|"p95"|"p99"|"max", name: string, width: number, dash: number[]}} Line */
/** Told apart by colour and by dash. @type {Line[]} */
export const LINES = [
  { key: "p50", name: "p50", width: 1.5, dash: [] },
  { key: "p95", name: "p95", width: 1.5, dash: [7, 3] },
  { key: "p99", name: "p99", width: 2, dash: [] },
  { key: "max", name: "max", width: 1, dash: [2, 3] },
];
/** What the incident's users waited: it must be seen to be above or below it. */
export const WAITED_MS = 10_000;
export const HEIGHT = 260;
const LEFT = 58;
/** Half a label of the time axis. */
const RIGHT = 28;

/** @param {any} given what the panel gives */
export function optionsOf({ width, marks, values, shown, range, moved }) {
  const log = view().scale === "log";
  const axis = { stroke: () => ink("muted"), grid: { stroke: () => ink("rule"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width, height: HEIGHT, padding: [8, RIGHT, 0, 0], legend: { show: false },
    tzDate: (/** @type {number} */ s) => {
      const date = new Date(s * 1000);
      // @ts-ignore: uPlot is a classic script.
      return view().zone === "utc" ? uPlot.tzDate(date, "Etc/UTC") : date;
    },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
    scales: { x: { time: true, range }, y: log ? { distr: 3, log: 10, range: logRange } : { range: linearRange } },
    axes: [
      { ...axis, size: 28, space: 64, incrs: TICKS, values: (/** @type {any} */ _, /** @type {number[]} */ at, /** @type {any} */ __, /** @type {any} */ ___, /** @type {number} */ step) =>
        at.map((s) => tick(s * 1000, step)) },
      { ...axis, size: LEFT, values: (/** @type {any} */ _, /** @type {(number|null)[]} */ at) =>
        at.map((ms) => (ms === null ? "" : bound(ms))) },
    ],
    series: [{}, ...LINES.map(({ key, name, width, dash }, i) => ({
      label: name, width, dash, show: shown[i], stroke: () => ink(key),
      points: { size: 4, fill: () => ink(key), filter: alone },
    }))],
    hooks: {
      draw: [(/** @type {any} */ u) => { tenSeconds(u); marks(u); }],
      setSize: [moved], setData: [moved], ready: [moved],
      setCursor: [(/** @type {any} */ u) => values(u.cursor.idx ?? null)],
      setSelect: [(/** @type {any} */ u) => zoom(u)],
    },
  };
}

/** Values between two gaps have no line; they get a point. @param {any} u @param {number} place */
function alone(u, place) {
  const values = u.data[place];
  const isGap = (/** @type {number} */ i) => values[i] === null || values[i] === undefined;
  const found = [];
  for (let i = 0; i < values.length; i += 1) {
    if (!isGap(i) && isGap(i - 1) && isGap(i + 1)) found.push(i);
  }
  return found;
}

/** @param {any} _ @param {number|null} min @param {number|null} max @returns {[number, number]} */
function logRange(_, min, max) {
  const lowest = 10 ** Math.floor(Math.log10(Math.max(min ?? 1, 0.01)));
  return [Math.min(lowest, 1), Math.max(2 * WAITED_MS, (max ?? 1) * 1.5)];
}

/** @param {any} _ @param {number|null} __ @param {number|null} max @returns {[number, number]} */
function linearRange(_, __, max) {
  return [0, Math.max((max ?? 10) * 1.1, 1)];
}

/** @param {any} u */
function tenSeconds(u) {
  const y = u.valToPos(WAITED_MS, "y", true);
  if (!(y >= u.bbox.top && y <= u.bbox.top + u.bbox.height)) return;
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = ink("bad");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(u.bbox.left, y);
  ctx.lineTo(u.bbox.left + u.bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** A part that was drawn over becomes the range. @param {any} u */
function zoom(u) {
  const { left, width } = u.select;
  if (width < 8) return;
  const [from, to] = [left, left + width].map((x) => Math.round(u.posToVal(x, "x")));
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  if (to > from) look({ range: "custom", from: String(from), to: String(Math.max(to, from + 10)) });
}
