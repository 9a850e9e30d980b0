// What the boxed requests have and the rest have not.

import { announce, el, fill, table } from "./dom.js";
import { ask } from "./api.js";
import { now } from "./clock.js";
import { bound, count, moment, percent } from "./format.js";
import { panel } from "./panel.js";
import { view } from "./state-in-url.js";

const HOW = "Drag a box over the slow requests in the heatmap, or draw it with Shift and the arrow keys and press " +
  "Enter: here it says what they have in common that the rest have not.";
const COLUMNS = [{ name: "Dimension" }, { name: "Value" }, { name: "Boxed", numeric: true }, { name: "Rest", numeric: true }];

export function compare() {
  /** @type {any} */
  let answer = null;
  let turn = 0;
  const own = panel("compare", "Boxed against the rest", { json: () => answer });
  own.note(HOW);

  /** @param {{from: number, to: number, low: number, high: number}} box */
  function show(box) {
    const where = `${moment(box.from * 1000, now())} to ${moment(box.to * 1000, now())}, ${bound(box.low)} and more`;
    const rows = (answer.dimensions ?? []).map((/** @type {any} */ line) => [
      line.dimension, line.value, bar(line.selected), bar(line.rest)]);
    fill(own.body, [
      el("p", { class: "finding-sentence" }, answer.sentence),
      el("p", { class: "muted" }, `${count(answer.selected)} boxed (${where}), ${count(answer.rest)} others.`),
      rows.length > 0 && table({
        caption: "Shares of the boxed and of the rest, the most telling first", columns: COLUMNS, quiet: true, stack: true,
      }, rows),
    ]);
    announce(answer.sentence);
  }

  return {
    root: own.root,
    /** @param {{from: number, to: number, low: number, high: number}|null} box */
    async box(box) {
      turn += 1;
      const mine = turn;
      if (!box) {
        answer = null;
        fill(own.body, []);
        own.note(HOW);
        return;
      }
      const { from, to, low, high } = box;
      const reply = await ask("/api/v1/compare", { from, to, low_ms: low, high_ms: high, side: view().side });
      if (mine !== turn) return;
      own.note(reply.ok ? null : reply.message);
      if (reply.ok) {
        answer = reply.value;
        show(box);
      } else {
        fill(own.body, []);
        announce(reply.message);
      }
    },
  };
}

/** @param {number} value from 0 to 1 */
function bar(value) {
  const filled = el("i", { class: "share", "aria-hidden": "true" });
  filled.style.setProperty("--share", String(Math.min(Math.max(value, 0), 1)));
  return el("span", {}, filled, percent(value));
}
