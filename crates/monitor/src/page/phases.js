// The phases of a request, in the order of its life, and their colours: the same
// wherever phases are shown.

import { el } from "./dom.js";
import { duration } from "./format.js";

export const PHASES = ["queue", "dns", "connect", "tls", "send", "authorize", "store", "wait", "receive"];

/** @param {any} attempt @returns {[string, number][]} */
export function phasesOf(attempt) {
  const told = attempt.phases_ms ?? {};
  const names = [...PHASES.filter((name) => name in told), ...Object.keys(told).filter((name) => !PHASES.includes(name))];
  return names.map((name) => [name, Number(told[name])]);
}

/** @param {any} attempt */
export function phasesInWords(attempt) {
  return phasesOf(attempt).map(([name, ms]) => `${name} ${duration(ms)}`).join(", ");
}

/**
 * One attempt as a bar. Attempts are timed from the caller's question, so what came
 * before an attempt's own phases is the time that others took.
 * @param {any} attempt @param {number} wholeMs the length of the scale @param {string} kind
 */
export function bar(attempt, wholeMs, kind) {
  const phases = phasesOf(attempt);
  const sum = phases.reduce((sum, [, ms]) => sum + ms, 0);
  // Phases may overlap, as reading a body and storing it do; a bar is as long as it took.
  const shrink = sum > attempt.duration_ms ? attempt.duration_ms / sum : 1;
  const begin = attempt.attempt > 1 ? Math.max(0, attempt.duration_ms - sum) : 0;
  const element = el("div", { class: `bar ${kind}` });
  const part = (/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ ms) => {
    const piece = el("i", { "data-phase": PHASES.includes(name) ? name : "other" });
    piece.style.left = `${(from / wholeMs) * 100}%`;
    piece.style.width = `${(ms / wholeMs) * 100}%`;
    return piece;
  };
  let at = begin;
  for (const [name, ms] of phases) {
    element.append(part(name, at, ms * shrink));
    at += ms * shrink;
  }
  const untold = attempt.duration_ms - at;
  if (untold > wholeMs / 1e6) element.append(part("other", at, untold));
  return element;
}

export function phaseKey() {
  return el("p", { class: "phase-key" }, [...PHASES, "other"].map((name) =>
    el("span", {}, el("i", { class: "swatch", "data-phase": name, "aria-hidden": "true" }), name)));
}
