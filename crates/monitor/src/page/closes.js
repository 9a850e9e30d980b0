// Ends of connections: who ended them, how, and how often.

import { el, fill, table } from "./dom.js";
import { ask } from "./api.js";
import { now } from "./clock.js";
import { count, rate } from "./format.js";
import { panel } from "./panel.js";

/** What the journals' words mean. @type {Record<string, string>} */
const MEANINGS = {
  "fin": "closed in order, without TLS's goodbye",
  "fin+close_notify": "closed in order",
  "rst": "reset",
  "idle-expiry": "was idle for too long",
  "timeout": "a clock of a request ran out",
  "drain": "a drain ended it",
  "age": "reached its age limit",
  "request-limit": "served as many requests as it may",
  "overload": "too many were open",
  "kill": "ended by force",
  "error": "error of the socket or of TLS",
};
/** Over which the rate is taken. */
const RATE_MS = 60_000;
const COLUMNS = [
  { name: "Told by" }, { name: "Ended by" }, { name: "How" }, { name: "Count", numeric: true }, { name: "Per minute", numeric: true },
];

export function closes() {
  /** @type {any} */
  let answer = null;
  /** @type {{at: number, counts: Map<string, number>}[]} */
  let history = [];
  const own = panel("closes", "Closes", { json: () => answer });

  /** @param {any} close */
  const key = (close) => [close.side, close.by, close.how].join("\n");

  function remember() {
    const at = now();
    const counts = new Map(answer.closes.map((/** @type {any} */ close) => [key(close), close.count]));
    history = [...history.filter((one) => at - one.at <= RATE_MS && one.at < at), { at, counts }];
  }

  /** Ends a minute since this page began to look, at most over the last minute. @param {any} close */
  function perMinute(close) {
    const [first] = history;
    const last = history[history.length - 1];
    if (last.at - first.at < 2000) return null;
    const before = first.counts.get(key(close)) ?? 0;
    return close.count < before ? null : ((close.count - before) * 60_000) / (last.at - first.at);
  }

  function show() {
    const all = [...answer.closes].sort((a, b) => b.count - a.count);
    own.note(all.length > 0 ? null : "No connection has ended since counting began.");
    const rows = all.map((close) => [
      close.side, close.by,
      el("span", {}, el("code", {}, close.how), " ", el("span", { class: "muted" }, MEANINGS[close.how] ?? "")),
      count(close.count), rate(perMinute(close)),
    ]);
    fill(own.body, [rows.length > 0 && table({
      caption: "Ends of connections since counting began", columns: COLUMNS, quiet: true, stack: true,
    }, rows)]);
  }

  return {
    root: own.root,
    async update() {
      const reply = await ask("/api/v1/closes");
      if (!reply.ok) {
        own.failed(reply.message, answer);
        return;
      }
      answer = reply.value;
      remember();
      show();
    },
  };
}
