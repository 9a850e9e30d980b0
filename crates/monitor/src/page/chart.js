// Response times: p50, p95, p99 and the maximum, with the 10 s line and what changed.

import { announce, el, fill, say, table } from "./dom.js";
import { ask } from "./api.js";
import { annotations } from "./annotations.js";
import { now } from "./clock.js";
import { count, duration, moment, rate, share } from "./format.js";
import { openTable, panel } from "./panel.js";
import { HEIGHT, LINES, optionsOf, WAITED_MS } from "./plot.js";
import { span } from "./ranges.js";
import { look, view } from "./state-in-url.js";

const COLUMNS = ["t", "count", "failed", "reused", ...LINES.map(({ key }) => key)];
/** A table for people: of a longer series the end. */
const ROWS_MAX = 1500;

export function chart() {
  /** @type {any} */
  let series = null;
  /** @type {any} */
  let plot = null;
  /** @type {number|null} */
  let cursor = null;
  const scale = el("button", { type: "button", class: "quiet", onclick: () =>
    look({ scale: view().scale === "log" ? "linear" : "log" }) });
  const own = panel("chart", "Response times", { json: () => series, tools: [scale] });
  const totals = el("p", { class: "totals" });
  const legend = el("div", { class: "legend" });
  const host = el("div", { class: "plot", tabindex: "0", role: "img", "aria-label": "Nothing has been told yet.", onkeydown: onKey, onblur: () => point(null) });
  const marks = annotations((at) => (plot ? plot.valToPos(at / 1000, "x") + plot.bbox.left / devicePixelRatio : null));
  const data = openTable("Response times as a table", rows);
  own.body.append(totals, legend, marks.lane, host, data.root);
  const values = legendOf(legend, (place, shown) => plot?.setSeries(place + 1, { show: shown }));
  new ResizeObserver(() => plot?.setSize({ width: host.clientWidth, height: HEIGHT })).observe(host);

  function draw() {
    plot?.destroy();
    plot = null;
    if (!series || host.clientWidth === 0) return;
    const options = optionsOf({
      width: host.clientWidth, marks: marks.lines, values: (/** @type {number|null} */ index) => values.show(index, series), shown: values.shown,
      range: () => { const { from, to } = span(view()); return [from, to - 1]; },
      moved: marks.place,
    });
    // @ts-ignore: uPlot is a classic script that comes before.
    plot = new uPlot(options, columns(), host);
  }

  const columns = () => [series.t, ...LINES.map(({ key }) => series[key])];

  function show() {
    if (plot) plot.setData(columns());
    else draw();
    const sum = summary(series);
    fill(totals, sum.totals);
    host.setAttribute("aria-label", sum.sentence);
    own.note(sum.requests > 0 ? null : `No ${view().side} told of a request in this time.`);
    values.show(plot?.cursor.idx ?? null, series);
    data.update();
  }

  /** @param {number|null} index */
  function point(index) {
    cursor = index;
    if (!plot || index === null) {
      plot?.setCursor({ left: -10, top: -10 });
      return;
    }
    plot.setCursor({ left: plot.valToPos(series.t[index], "x"), top: HEIGHT / 3 });
    announce(spoken(series, index));
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const last = (series?.t.length ?? 0) - 1;
    if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const from = cursor ?? last + 1;
    const places = /** @type {Record<string, number>} */ ({
      ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: last,
    });
    if (event.key === "Escape") point(null);
    if (!(event.key in places)) return;
    event.preventDefault();
    point(Math.min(Math.max(places[event.key], 0), last));
  }

  function rows() {
    const from = Math.max(0, (series?.t.length ?? 0) - ROWS_MAX);
    const shown = series ? Array.from({ length: series.t.length - from }, (_, i) => from + i).reverse() : [];
    const cell = (/** @type {any} */ value) => (value === null ? "–" : el("data", { value }, String(value)));
    return table({
      caption: `Response times in milliseconds, ${series?.side ?? view().side} side, the newest first`,
      columns: ["Begins", "Requests", "Failed", "Reused", ...LINES.map(({ name }) => name)]
        .map((name, i) => ({ name, numeric: i > 0 })),
    }, shown.map((i) => [
      el("data", { value: series.t[i] }, moment(series.t[i] * 1000, now())),
      ...COLUMNS.slice(1).map((key) => cell(series[key][i])),
    ]));
  }

  return {
    root: own.root,
    redraw: draw,
    marks,
    say() {
      const log = view().scale === "log";
      say(scale, log ? "Scale: log" : "Scale: linear");
    },
    async update() {
      const { from, to, step } = span(view());
      const asked = view().side;
      const reply = await ask("/api/v1/series", { from, to, step, side: asked });
      if (asked !== view().side) return;
      if (!reply.ok) {
        own.failed(reply.message, series);
        return;
      }
      own.note(null);
      const steps = series?.step_s;
      series = reply.value;
      if (steps !== series.step_s) draw();
      show();
    },
    /** One second more, as the stream told it. @param {any} latency @returns {boolean} whether it fits on */
    second(latency) {
      const told = latency?.[view().side];
      if (!told || !series || series.step_s !== 1 || series.side !== view().side) return true;
      const last = series.t.at(-1) ?? told.t - 1;
      // The second was under way when it was asked for; now it is whole.
      const known = series.t.indexOf(told.t);
      if (told.t <= last && known === -1) return true;
      const place = known === -1 ? series.t.length : known;
      const { from } = span(view());
      for (const key of COLUMNS) series[key][place] = told[key] ?? null;
      const first = Math.max(series.t.findIndex((/** @type {number} */ t) => t >= from), 0);
      for (const key of COLUMNS) series[key] = series[key].slice(first);
      show();
      return told.t <= last + 1;
    },
  };
}

/** The values at the cursor, each beside a sample of its line. @param {HTMLElement} place @param {(i: number, shown: boolean) => void} toggle */
function legendOf(place, toggle) {
  const when = el("span", { class: "when" });
  const shown = LINES.map(() => true);
  const entries = LINES.map(({ name, key }, i) => {
    const value = el("span", { class: "value" });
    const button = el("button", { type: "button", class: "entry", "aria-pressed": "true", onclick: () => {
      shown[i] = !shown[i];
      button.setAttribute("aria-pressed", String(shown[i]));
      toggle(i, shown[i]);
    } }, el("i", { class: `line line-${key}`, "aria-hidden": "true" }), ` ${name} `, value);
    return { button, value };
  });
  fill(place, [...entries.map(({ button }) => button), when]);
  return {
    shown,
    /** @param {number|null} index @param {any} series */
    show(index, series) {
      const last = series ? series.count.findLastIndex((/** @type {number} */ n) => n > 0) : -1;
      const i = index ?? last;
      const known = series && i >= 0 && i < series.t.length;
      entries.forEach(({ value }, at) => say(value, known ? duration(series[LINES[at].key][i]) : "–"));
      say(when, known
        ? `${index === null ? "last: " : ""}${moment(series.t[i] * 1000, now())}, ${count(series.count[i])} requests, ${count(series.failed[i])} failed`
        : "");
    },
  };
}

/** @param {any} series */
function summary(series) {
  const sum = (/** @type {string} */ key) => series[key].reduce((/** @type {number} */ a, /** @type {number} */ b) => a + (b ?? 0), 0);
  const [requests, failed, reused] = ["count", "failed", "reused"].map(sum);
  const most = (/** @type {string} */ key) => series[key].reduce((/** @type {number|null} */ a, /** @type {number|null} */ b) =>
    (b !== null && (a === null || b > a) ? b : a), null);
  const { from, to } = span(view());
  const length = Math.max(1, Math.min(to, now() / 1000) - from);
  const slow = series.max.filter((/** @type {number|null} */ ms) => ms !== null && ms >= WAITED_MS).length;
  const fact = (/** @type {string} */ name, /** @type {string} */ value) => el("span", {}, el("b", {}, value), ` ${name}`);
  const steps = series.step_s === 1 ? "seconds" : series.step_s === 60 ? "minutes" : "hours";
  return {
    requests,
    totals: [fact("requests", count(requests)), fact("per second", rate(requests / length)),
      fact("failed", `${count(failed)} (${share(failed, requests)})`), fact("reused", share(reused, requests)),
      fact("slowest", duration(most("max"))), slow > 0 && fact(`${steps} with 10 s or more`, count(slow))],
    sentence: requests === 0
      ? `Response times: no request in this time.`
      : `Response times by ${steps}: ${count(requests)} requests, ${count(failed)} failed, worst p99 ` +
        `${duration(most("p99"))}, slowest ${duration(most("max"))}. Arrow keys read the values.`,
  };
}

/** @param {any} series @param {number} i */
function spoken(series, i) {
  const told = LINES.map(({ key, name }) => `${name} ${duration(series[key][i])}`).join(", ");
  return `${moment(series.t[i] * 1000, now())}: ${count(series.count[i])} requests, ${told}`;
}
