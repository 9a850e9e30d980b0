// The balancer's connections by age and idleness, with each party's time-out as a line:
// that of the party nearest to the heads must be the longest.

import { el, fill, table } from "./dom.js";
import { ask, isAbsent } from "./api.js";
import { cellMap, colorKey } from "./cell-map.js";
import { count, duration, plural, seconds, short } from "./format.js";
import { openTable, panel } from "./panel.js";
import { look } from "./state-in-url.js";

const SAMPLE_SHOWN_MAX = 100;

export function grid() {
  /** @type {any} */
  let answer = null;
  const key = colorKey();
  const own = panel("connections", "Connections of the balancer", { json: () => answer, tools: [key.root] });
  const map = cellMap({ height: 250, describe });
  const axes = el("p", { class: "axes" }, "Across: idle for. Up: age.");
  const words = el("div", { class: "words" });
  const data = openTable("Connections as a table", asTable);
  const sample = openTable("Some of them, the longest idle first", asSample);
  own.body.append(map.canvas, map.readout, axes, words, data.root, sample.root);

  const range = (/** @type {number[]} */ bounds, /** @type {number} */ i) =>
    i >= bounds.length ? `over ${seconds(bounds[bounds.length - 1] ?? 0)}`
      : i === 0 ? `up to ${seconds(bounds[0])}` : `${seconds(bounds[i - 1])} to ${seconds(bounds[i])}`;

  /** @param {number} column @param {number} row */
  function describe(column, row) {
    const n = answer.counts[row]?.[column] ?? 0;
    return `Idle ${range(answer.idle_bounds_s, column)}, age ${range(answer.age_bounds_s, row)}: ${plural(n, "connection")}`;
  }

  function show() {
    const { age_bounds_s: ages, idle_bounds_s: idles, counts, total } = answer;
    const [columns, rows] = [idles.length + 1, ages.length + 1];
    const byColumn = Array.from({ length: columns }, (_, c) => Array.from({ length: rows }, (_, r) => counts[r]?.[c] ?? 0));
    const most = Math.max(1, ...byColumn.flat());
    const limits = (answer.limits ?? []).filter((/** @type {any} */ limit) => limit.s > 0);
    map.update({
      columns, rows, counts: byColumn, most,
      xTicks: ticks(idles, map.canvas.clientWidth < 420 ? 3 : 2), yTicks: ticks(ages, 2),
      lines: limits.map((/** @type {any} */ limit) => ({
        axis: limit.what === "age" ? "y" : "x", at: position(limit.what === "age" ? ages : idles, limit.s),
        text: limitWords(limit),
      })),
    }, `Connections of the balancer by age and idleness: ${plural(total, "connection")}. ` +
      `${limits.map(limitWords).join(", ")}. Arrow keys read the cells.`);
    key.update(count(most));
    own.note(total > 0 ? null : "The balancer has no connection now.");
    fill(words, [
      el("p", {}, `${plural(total, "connection")}.`),
      (answer.inversions ?? []).length > 0
        ? el("ul", { class: "inversions" }, answer.inversions.map((/** @type {string} */ text) => el("li", {}, `▲ ${text}`)))
        : limits.length > 0 && el("p", {}, "✓ No time-outs are the wrong way round."),
    ]);
    data.update();
    sample.update();
  }

  function asTable() {
    const { age_bounds_s: ages, idle_bounds_s: idles, counts } = answer ?? { age_bounds_s: [], idle_bounds_s: [], counts: [] };
    const rows = counts.flatMap((/** @type {number[]} */ row, /** @type {number} */ r) => row.map((n, c) =>
      n > 0 && [range(ages, r), range(idles, c), count(n)]).filter(Boolean));
    return table({
      caption: "Connections by age and idleness",
      columns: [{ name: "Age" }, { name: "Idle" }, { name: "Connections", numeric: true }],
    }, rows);
  }

  function asSample() {
    const all = [...(answer?.sample ?? [])].sort((a, b) => b.idle_ms - a.idle_ms).slice(0, SAMPLE_SHOWN_MAX);
    return table({
      caption: "Open connections", stack: true,
      columns: [{ name: "Connection" }, { name: "Client" }, { name: "Head" }, { name: "Age", numeric: true }, { name: "Idle", numeric: true }],
    }, all.map((one) => [connectionButton(one.id), one.client, one.head, duration(one.age_ms), duration(one.idle_ms)]));
  }

  return {
    root: own.root,
    redraw() {
      if (answer) show();
    },
    async update() {
      const reply = await ask("/api/v1/connections");
      if (reply.ok) {
        own.note(null);
        answer = reply.value;
        show();
      } else own.failed(reply.message, answer);
      return isAbsent(reply) ? "absent" : undefined;
    },
  };
}

/** Opens the timeline of a connection. @param {string} id */
export function connectionButton(id) {
  return el("button", {
    type: "button", class: "link", "aria-label": `Timeline of connection ${id}`, onclick: () => look({ connection: String(id) }),
  }, id);
}

/** @param {any} limit */
function limitWords(limit) {
  /** @type {Record<string, string>} */
  const known = { idle: "closes after", advertised: "advertises", seen: "seen to wait", age: "age limit" };
  const party = limit.party === "client" && limit.what === "seen" ? "clients" : limit.party;
  return `${party} ${known[limit.what] ?? limit.what} ${seconds(limit.s)}`;
}

/** Where a value lies on bounds that grow by factors, in cells. @param {number[]} bounds @param {number} value */
function position(bounds, value) {
  const above = bounds.findIndex((bound) => bound >= value);
  if (above === -1) return bounds.length + 0.5;
  const [low, high] = [above === 0 ? 0 : bounds[above - 1], bounds[above]];
  const part = low > 0 ? Math.log(value / low) / Math.log(high / low) : value / high;
  return above + part;
}

/** @param {number[]} bounds @param {number} every */
function ticks(bounds, every) {
  return bounds.map((s, i) => ({ at: i + 1, text: short(s) })).filter((_, i) => i % every === 0);
}
