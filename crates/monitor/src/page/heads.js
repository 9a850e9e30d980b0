// The heads as the balancer sees them, and what operators may do to them.

import { el, fill, say, tableCell } from "./dom.js";
import { ask, isOperator } from "./api.js";
import { drain, only, onlyOff, ready, weight } from "./head-actions.js";
import { count, duration, rate } from "./format.js";
import { panel } from "./panel.js";

/** @type {Record<string, string>} */
const MARKS = { ready: "●", suspect: "▲", draining: "◐", ejected: "✕", down: "✕" };
/** @type {{name: string, numeric?: boolean, title?: string}[]} */
const COLUMNS = [
  { name: "Head" }, { name: "State" }, { name: "Weight", numeric: true }, { name: "In flight", numeric: true, title: "Requests from the end of their head to the end of their reply, as the head said at its last check" },
  { name: "Connections", numeric: true }, { name: "Per second", numeric: true }, { name: "Failed", numeric: true },
  { name: "p99", numeric: true }, { name: "Checks and remarks" }, { name: "Change" },
];

export function heads() {
  /** @type {any} */
  let answer = null;
  const own = panel("heads", "Heads", { json: () => answer });
  const age = el("p", { class: "muted" });
  const body = el("tbody", { role: "rowgroup" });
  const table = el("table", { role: "table", class: "stack heads", hidden: true },
    el("caption", { class: "unseen" }, "Heads, as the balancer sees them"),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, COLUMNS.map(({ name, numeric, title }) =>
      el("th", { scope: "col", role: "columnheader", class: numeric ? "number" : null, title: title ?? null }, name)))),
    body);
  own.body.append(age, el("div", { class: "wide" }, table));
  /** Rows stay what they are, so that focus and selections do. @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();

  /** @param {any} told as in `/heads` */
  function tell(told) {
    answer = told;
    const stale = told.freshness === "stale";
    const names = new Set(told.heads.map((/** @type {any} */ head) => head.name));
    for (const name of [...rows.keys()].filter((known) => !names.has(known))) {
      rows.get(name)?.element.remove();
      rows.delete(name);
    }
    for (const head of told.heads) {
      const known = rows.get(head.name) ?? row(head.name, own.note);
      if (!rows.has(head.name)) {
        rows.set(head.name, known);
        body.append(known.element);
      }
      known.tell(head);
    }
    table.hidden = told.heads.length === 0;
    table.classList.toggle("stale", stale);
    const seconds = (told.age_ms / 1000).toFixed(1);
    say(age, stale ? `▲ The balancer has not answered for ${seconds} s. This was:`
      : told.heads.length === 0 ? "The balancer has no heads." : summary(told.heads));
  }

  return {
    root: own.root,
    tell,
    async update() {
      const reply = await ask("/api/v1/heads");
      if (reply.ok) {
        own.note(null);
        return reply.value;
      }
      own.failed(reply.message, answer);
      return null;
    },
  };
}

/** @param {any[]} heads */
function summary(heads) {
  const serving = heads.filter(({ state }) => state === "ready").length;
  const only = heads.find((head) => head.only);
  return `${serving} of ${heads.length} ready.${only ? ` Every new connection goes to ${only.name}.` : ""}`;
}

/** @param {string} name @param {(text: string|null) => void} note */
function row(name, note) {
  const cells = COLUMNS.map((column, place) => tableCell(column, place, []));
  const element = el("tr", { role: "row" }, cells);
  const label = el("span", { class: "name" }, name);
  const address = el("span", { class: "muted address" });
  fill(cells[0], [label, " ", address]);
  /** @type {any} */
  let head = null;
  const button = (/** @type {string} */ text, /** @type {(head: any) => Promise<string|null>} */ act) =>
    el("button", { type: "button", class: "quiet", "aria-label": `${text}: ${name}`, onclick: async () => note(await act(head)) }, text);
  const buttons = {
    drain: button("Drain", drain), ready: button("Ready", ready),
    weight: button("Weight", weight), only: button("Only", only), off: button("Only off", onlyOff),
  };
  const actions = el("span", { class: "actions" }, Object.values(buttons));
  fill(cells[9], [actions]);

  return {
    element,
    /** @param {any} told */
    tell(told) {
      head = told;
      element.dataset.state = told.state;
      say(address, told.address);
      say(cells[1], `${MARKS[told.state] ?? "?"} ${told.state}`);
      cells[1].className = "state";
      const { traffic } = told;
      const values = [count(told.weight), count(told.in_flight), count(told.connections),
        rate(traffic?.rate), count(traffic?.failed), duration(traffic?.p99_ms), remarks(told)];
      values.forEach((value, i) => say(cells[i + 2], value));
      const isOut = told.state === "draining";
      const may = isOperator();
      actions.hidden = !may;
      buttons.drain.hidden = isOut;
      buttons.ready.hidden = !isOut;
      buttons.only.hidden = told.only;
      buttons.off.hidden = !told.only;
    },
  };
}

/** @param {any} head */
function remarks(head) {
  const all = [head.failing ? `last check failed at ${head.failing}` : "checks pass"];
  if (head.only) all.push("takes every new connection");
  // A head that does not tell what is in flight may stand still: the balancer sees who waits.
  if ((head.in_flight ?? null) === null && head.waiting > 0) all.push(`${count(head.waiting)} connections wait for an answer`);
  for (const [event, number] of Object.entries(head.counters ?? {})) {
    if (Number(number) > 0) all.push(`${event}: ${count(Number(number))}`);
  }
  return all.join(", ");
}
