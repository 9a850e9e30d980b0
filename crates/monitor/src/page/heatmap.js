// How many requests took how long, when. A box over the slow ones is compared with the
// rest.

import { announce, table } from "./dom.js";
import { ask, isAbsent } from "./api.js";
import { cellMap, colorKey } from "./cell-map.js";
import { now } from "./clock.js";
import { bound, count, moment, plural, tick } from "./format.js";
import { openTable, panel } from "./panel.js";
import { span, TICKS } from "./ranges.js";
import { view } from "./state-in-url.js";

/** Rows that are always there: up to 16 s. */
const ROWS_MIN = 15;
/** A narrower column cannot be hit. */
const COLUMN_PX_MIN = 6;
const LABEL_PX = 72;
const MARGINS_PX = 86;
/** Longer than any request lasts: the end of the row without a bound. */
const BEYOND_MS = 86_400_000;
const ROWS_TOLD_MAX = 400;

/** @param {(box: {from: number, to: number, low: number, high: number}|null) => void} onBox times in Unix seconds */
export function heatmap(onBox) {
  /** @type {any} */
  let answer = null;
  /** Columns of the answer that are drawn as one. */
  let wide = 1;
  /** @type {number[][]} */
  let counts = [];
  let rows = ROWS_MIN;
  /** @type {{from: number, to: number, r0: number, r1: number}|null} */
  let boxed = null;
  const key = colorKey();
  const own = panel("heatmap", "Latency heatmap", { json: () => answer, tools: [key.root] });
  const map = cellMap({ height: 240, describe, onBox: chosen });
  const data = openTable("Latency heatmap as a table", asTable);
  own.body.append(map.canvas, map.readout, data.root);

  const low = (/** @type {number} */ row) => (row === 0 ? 0 : answer.bounds_ms[row - 1]);
  const high = (/** @type {number} */ row) => answer.bounds_ms[row] ?? BEYOND_MS;
  const time = (/** @type {number} */ column) =>
    answer.t[column * wide] ?? (answer.t.at(-1) ?? 0) + answer.step_s;
  const end = (/** @type {number} */ column) => time(column) + wide * answer.step_s;
  const between = (/** @type {number} */ r0, /** @type {number} */ r1) =>
    answer.bounds_ms[r1] === undefined ? `over ${bound(low(r0))}` : `${bound(low(r0))} to ${bound(high(r1))}`;

  /** @param {number} column @param {number} row */
  function describe(column, row) {
    return `${moment(time(column) * 1000, now())}, ${between(row, row)}: ${plural(counts[column]?.[row] ?? 0, "request")}`;
  }

  /** @param {import("./cell-map.js").Box|null} box */
  function chosen(box) {
    if (!box) {
      boxed = null;
      onBox(null);
      announce("No box.");
      return;
    }
    boxed = { from: time(box.c0), to: end(box.c1), r0: box.r0, r1: box.r1 };
    onBox({ from: boxed.from, to: boxed.to, low: low(box.r0), high: high(box.r1) });
  }

  /** Where the box has moved to; it leaves with its time. */
  function moveBox() {
    if (!boxed || counts.length === 0) return map.place(null);
    const first = answer.t[0];
    const column = (/** @type {number} */ t) => Math.floor((t - first) / (wide * answer.step_s));
    const [c0, c1] = [column(boxed.from), column(boxed.to - answer.step_s)];
    return map.place(c1 < 0 ? null
      : { c0: Math.max(c0, 0), c1: Math.min(c1, counts.length - 1), r0: boxed.r0, r1: Math.min(boxed.r1, rows - 1) });
  }

  function show() {
    const room = Math.max(1, Math.floor((map.canvas.clientWidth - MARGINS_PX) / COLUMN_PX_MIN));
    wide = Math.max(1, Math.ceil(answer.t.length / room));
    counts = binned(answer.counts, wide);
    const used = Math.max(0, ...counts.map((column) => column.findLastIndex((n) => n > 0)));
    rows = Math.min(Math.max(ROWS_MIN, used + 2), answer.bounds_ms.length + 1);
    const most = Math.max(1, ...counts.flat());
    const total = counts.flat().reduce((a, b) => a + b, 0);
    map.update({
      columns: counts.length, rows, counts, most,
      xTicks: xTicks(), yTicks: yTicks(),
    }, summary(total, used));
    moveBox();
    key.update(`${count(most)} requests`);
    own.note(total > 0 ? null : "No request in this time.");
    data.update();
  }

  function xTicks() {
    if (counts.length === 0) return [];
    const labels = Math.max(1, Math.floor(map.canvas.clientWidth / LABEL_PX));
    const length = answer.t.length * answer.step_s;
    const step = TICKS.find((s) => length / s <= labels) ?? TICKS[TICKS.length - 1];
    const zone = view().zone === "utc" ? 0 : new Date().getTimezoneOffset() * 60;
    const ticks = [];
    for (let t = Math.ceil((time(0) - zone) / step) * step + zone; t < end(counts.length - 1); t += step) {
      ticks.push({ at: (t - time(0)) / (wide * answer.step_s), text: tick(t * 1000, step) });
    }
    return ticks;
  }

  function yTicks() {
    const ticks = [];
    for (let row = 1; row <= rows; row += 2) {
      const ms = answer.bounds_ms[row - 1];
      if (ms !== undefined) ticks.push({ at: row, text: bound(ms) });
    }
    return ticks;
  }

  /** @param {number} total @param {number} used */
  function summary(total, used) {
    if (total === 0) return "Latency heatmap: no request in this time.";
    const byRow = Array.from({ length: rows }, (_, r) => counts.reduce((a, column) => a + (column[r] ?? 0), 0));
    const common = byRow.indexOf(Math.max(...byRow));
    return `Latency heatmap of ${plural(total, "request")}: most took ${between(common, common)}, the slowest ` +
      `${between(used, used)}. Arrow keys move, with Shift they draw a box, Enter compares it, Escape ends.`;
  }

  function asTable() {
    /** @type {string[][]} */
    const list = [];
    for (let c = counts.length - 1; c >= 0 && list.length < ROWS_TOLD_MAX; c -= 1) {
      counts[c].forEach((n, r) => {
        if (n > 0) list.push([moment(time(c) * 1000, now()), between(r, r), count(n)]);
      });
    }
    return table({
      caption: "Requests by time and duration, the newest first",
      columns: [{ name: "From" }, { name: "Duration" }, { name: "Requests", numeric: true }],
    }, list);
  }

  return {
    root: own.root,
    redraw() {
      if (answer) show();
    },
    clear: map.clear,
    async update() {
      const { from, to, step } = span(view());
      const { side } = view();
      const reply = await ask("/api/v1/heatmap", { from, to, step, side });
      if (side !== view().side) return undefined;
      if (reply.ok) {
        own.note(null);
        answer = reply.value;
        show();
      } else own.failed(reply.message, answer);
      return isAbsent(reply) ? "absent" : undefined;
    },
  };
}

/** @param {number[][]} columns @param {number} wide */
function binned(columns, wide) {
  if (wide === 1) return columns;
  const bins = [];
  for (let at = 0; at < columns.length; at += wide) {
    const part = columns.slice(at, at + wide);
    bins.push(part[0].map((_, row) => part.reduce((sum, column) => sum + (column[row] ?? 0), 0)));
  }
  return bins;
}
