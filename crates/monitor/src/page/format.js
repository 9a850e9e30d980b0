// Numbers and times as people read them.

import { view } from "./state-in-url.js";

const NOTHING = "–";
const counts = new Intl.NumberFormat("en-US");

/** @param {number|null|undefined} value in milliseconds */
export function duration(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value < 1) return `${trim(value, 2)} ms`;
  if (value < 10) return `${trim(value, 1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${trim(value / 1000, value < 10_000 ? 2 : 1)} s`;
  return longer(Math.round(value / 1000));
}

/** @param {number} seconds a whole number of at least 60 */
function longer(seconds) {
  const parts = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const largest = parts.findIndex(([unit]) => seconds >= Number(unit));
  const [unit, name] = parts[largest];
  const rest = seconds % Number(unit);
  const [smaller, smallerName] = parts[largest + 1] ?? [1, "s"];
  const more = Math.floor(rest / Number(smaller));
  return `${Math.floor(seconds / Number(unit))} ${name}${more > 0 ? ` ${more} ${smallerName}` : ""}`;
}

/** A bound of a scale: 1 ms, 512 ms, 1.02 s. @param {number} ms */
export function bound(ms) {
  if (ms < 1000) return `${trim(ms, 2)} ms`;
  if (ms < 100_000) return `${trim(ms / 1000, 1)} s`;
  return `${Math.round(ms / 1000)} s`;
}

/** @param {number} seconds */
export function seconds(seconds) {
  return seconds < 120 ? `${trim(seconds, 1)} s` : longer(Math.round(seconds));
}

/** As short as a scale has room for. @param {number} s */
export function short(s) {
  if (s < 120) return `${trim(s, 1)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${trim(s / 3600, 1)} h` : `${trim(s / 86_400, 1)} d`;
}

/** @param {number|null|undefined} value */
export function count(value) {
  return value === null || value === undefined ? NOTHING : counts.format(value);
}

/** @param {number|null|undefined} value per second */
export function rate(value) {
  if (value === null || value === undefined) return NOTHING;
  return value >= 100 ? counts.format(Math.round(value)) : trim(value, value >= 10 ? 1 : 2);
}

/** @param {number} part @param {number} whole */
export function share(part, whole) {
  return whole > 0 ? percent(part / whole) : NOTHING;
}

/** @param {number} value from 0 to 1 */
export function percent(value) {
  const points = value * 100;
  if (points > 0 && points < 0.01) return "< 0.01 %";
  return `${trim(points, points < 10 && points > 0 ? 2 : points > 99 && points < 100 ? 1 : 0)} %`;
}

/** @param {number} value @param {number} places */
function trim(value, places) {
  const text = value.toFixed(places);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** @param {number} ms Unix milliseconds */
function parts(ms) {
  const date = new Date(ms);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const utc = view().zone === "utc";
  return utc
    ? { day: `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`,
        h: two(date.getUTCHours()), m: two(date.getUTCMinutes()), s: two(date.getUTCSeconds()) }
    : { day: `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
        h: two(date.getHours()), m: two(date.getMinutes()), s: two(date.getSeconds()) };
}

/** Time of the day, with its day unless that is today. @param {number} ms @param {number} nowMs */
export function moment(ms, nowMs) {
  const then = parts(ms);
  const time = `${then.h}:${then.m}:${then.s}`;
  return then.day === parts(nowMs).day ? time : `${then.day} ${time}`;
}

/** The label of a time axis. @param {number} ms @param {number} stepS between two labels */
export function tick(ms, stepS) {
  const { day, h, m, s } = parts(ms);
  if (stepS < 60) return `${h}:${m}:${s}`;
  if (stepS < 86_400 && !(h === "00" && m === "00")) return `${h}:${m}`;
  return day.slice(5);
}

/** @param {number} ms Unix milliseconds */
export function clockTime(ms) {
  const { h, m, s } = parts(ms);
  return `${h}:${m}:${s}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
}

/** @param {number} ms how long ago */
export function ago(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 60 ? `${s} s ago` : `${longer(s)} ago`;
}

/** @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
