// The life of one connection: opened, its requests, how long it was idle between them,
// and who ended it and how.

import { announce, el, fill, table } from "./dom.js";
import { ask } from "./api.js";
import { now } from "./clock.js";
import { clockTime, duration, moment } from "./format.js";
import { panel } from "./panel.js";
import { look, view } from "./state-in-url.js";

export function timeline() {
  /** @type {any} */
  let answer = null;
  let shown = "";
  const close = el("button", { type: "button", class: "quiet", onclick: () => look({ connection: "" }) }, "Close");
  const own = panel("connection", "Connection", { json: () => answer, tools: [close] });
  own.root.hidden = true;
  own.root.tabIndex = -1;

  function show() {
    const others = (answer.ids ?? []).filter((/** @type {string} */ id) => id !== answer.id);
    fill(own.body, [el("p", { class: "finding-sentence" }, sentence(answer)),
      others.length > 0 && el("p", { class: "muted" }, `Other parties know it as ${others.join(", ")}.`),
      lane(answer), events(answer)]);
  }

  return {
    root: own.root,
    async update() {
      const id = view().connection;
      own.root.hidden = id === "";
      if (id === "") {
        shown = "";
        return;
      }
      const reply = await ask(`/api/v1/connection/${encodeURIComponent(id)}`);
      if (id !== view().connection) return;
      own.note(reply.ok ? null
        : reply.status === 404 ? `Nothing is known of connection ${id} (any more).` : reply.message);
      answer = reply.ok ? reply.value : null;
      if (answer) show();
      else fill(own.body, []);
      if (shown !== id) {
        shown = id;
        own.root.scrollIntoView({ block: "nearest" });
        own.root.focus({ preventScroll: true });
        announce(answer ? sentence(answer) : `Nothing is known of connection ${id}.`);
      }
    },
  };
}

/** @param {any} told */
function sentence(told) {
  const opened = told.opened_ms ? `opened ${moment(told.opened_ms, now())}` : "its opening is not known";
  if (told.ended_ms === null || told.ended_ms === undefined) return `Connection ${told.id}: ${opened}, still open.`;
  const age = told.opened_ms ? ` after ${duration(told.ended_ms - told.opened_ms)}` : "";
  const phase = told.phase ? `, while ${told.phase}` : "";
  return `Connection ${told.id}: ${opened}, ended${age} by ${told.by ?? "nobody known"} (${told.how ?? "unknown"}${phase}).`;
}

/** The events in proportion. Short ones keep a width that can be seen. @param {any} told */
function lane(told) {
  const all = told.events ?? [];
  const begins = all.map((/** @type {any} */ event) => event.at_ms);
  const ends = all.map((/** @type {any} */ event) => event.at_ms + (event.ms ?? 0));
  const [from, to] = [Math.min(...begins), Math.max(...ends)];
  if (all.length === 0 || to <= from) return null;
  const pieces = all.map((/** @type {any} */ event) => {
    const piece = el("i", { "data-kind": event.kind });
    piece.style.left = `${((event.at_ms - from) / (to - from)) * 100}%`;
    piece.style.width = `${((event.ms ?? 0) / (to - from)) * 100}%`;
    return piece;
  });
  return el("div", {},
    el("div", { class: "life", role: "img", "aria-label": sentence(told) }, pieces),
    el("p", { class: "phase-key" }, ["open", "tls", "request", "turn", "idle", "close"].map((kind) =>
      el("span", {}, el("i", { class: "swatch", "data-kind": kind, "aria-hidden": "true" }), kind))));
}

/** @param {any} told */
function events(told) {
  return table({
    caption: "What happened on it", stack: true, quiet: true,
    columns: [{ name: "At" }, { name: "What" }, { name: "Took", numeric: true }, { name: "Told by" }, { name: "In words" }],
  }, (told.events ?? []).map((/** @type {any} */ event) => [
    clockTime(event.at_ms), event.kind, event.ms === null || event.ms === undefined ? "–" : duration(event.ms),
    event.by ?? "–", event.text ?? "",
  ]));
}
