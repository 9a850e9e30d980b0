// Which time is looked at, in which steps.

import { now } from "./clock.js";

/** @typedef {{from: number, to: number, step: "second"|"minute"|"hour", stepS: number, live: boolean}} Span */

/** @type {[string, string, number, "second"|"minute"|"hour", number][]} name, words, seconds, step, asked again every s */
export const RANGES = [
  ["5m", "5 min", 300, "second", 5],
  ["1h", "1 h", 3600, "minute", 5],
  ["6h", "6 h", 6 * 3600, "minute", 15],
  ["24h", "24 h", 24 * 3600, "minute", 30],
  ["7d", "7 d", 7 * 86_400, "hour", 60],
  ["30d", "30 d", 30 * 86_400, "hour", 60],
];
/** Between two labels of a time axis, in seconds. */
export const TICKS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000,
];
const STEPS = { second: 1, minute: 60, hour: 3600 };
/** What the monitor keeps of each step, in seconds. */
const KEPT = { second: 600, minute: 86_400 };

/** @param {import("./state-in-url.js").View} view @returns {Span} */
export function span(view) {
  const nowS = Math.floor(now() / 1000);
  if (view.range === "custom") return chosen(Math.floor(Number(view.from)), Math.ceil(Number(view.to)), nowS);
  const [, , length, step] = RANGES.find(([name]) => name === view.range) ?? RANGES[0];
  const stepS = STEPS[step];
  const to = Math.floor(nowS / stepS) * stepS + stepS;
  return { from: to - length, to, step, stepS, live: true };
}

/** @param {number} from @param {number} to @param {number} nowS @returns {Span} */
function chosen(from, to, nowS) {
  const age = nowS - from;
  const step = age <= KEPT.second ? "second" : age <= KEPT.minute ? "minute" : "hour";
  const stepS = STEPS[step];
  return {
    from: Math.floor(from / stepS) * stepS, to: Math.ceil(to / stepS) * stepS, step, stepS, live: false,
  };
}

/** How often what is looked at is asked for again, in seconds. @param {string} range */
export function period(range) {
  return RANGES.find(([name]) => name === range)?.[4] ?? 60;
}
