// The slowest requests as waterfalls, the attempts that nobody saw above the one that
// answered.

import { el, fill, say, table } from "./dom.js";
import { ask, query } from "./api.js";
import { now } from "./clock.js";
import { clockTime, duration, moment } from "./format.js";
import { connectionButton } from "./grid.js";
import { panel } from "./panel.js";
import { bar, phaseKey, phasesInWords } from "./phases.js";
import { span } from "./ranges.js";
import { look, view } from "./state-in-url.js";

/** More are shown when they are asked for. */
const SHOWN = 12;
const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"];

export function slowest() {
  /** @type {any} */
  let answer = null;
  /** A request does not change: its element is made once. @type {Map<string, HTMLElement>} */
  let made = new Map();
  const har = el("a", { class: "button quiet", download: "repono-slowest.har" }, "HAR");
  const own = panel("slowest", "Slowest requests", { json: () => answer, tools: [har] });
  const filters = filterForm();
  const list = el("ol", { class: "requests" });
  let all = false;
  const more = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => {
    all = !all;
    show();
  } });
  own.body.append(filters.root, phaseKey(), list, more);

  function parameters() {
    const { from, to } = span(view());
    const { side, head, method, status, reused } = view();
    return { from, to, side, head, method, status, reused };
  }

  function show() {
    const told = answer.requests ?? [];
    const requests = all ? told : told.slice(0, SHOWN);
    more.hidden = told.length <= SHOWN;
    say(more, all ? `Show the slowest ${SHOWN} alone` : `Show all ${told.length}`);
    own.note(requests.length > 0 ? null : "No request in this time that fits the filters.");
    const most = Math.max(1, ...requests.map((/** @type {any} */ request) => request.duration_ms));
    const before = made;
    made = new Map();
    const items = requests.map((/** @type {any} */ request) => {
      const key = `${request.ended_ms} ${request.connection} ${request.path} ${request.attempt} ${request.hidden?.length} ${most} ${view().zone}`;
      const item = before.get(key) ?? requestItem(request, most, isOpen(before, request));
      item.dataset.request = nameOf(request);
      made.set(key, item);
      return item;
    });
    if (items.length !== list.children.length || items.some((/** @type {HTMLElement} */ item, /** @type {number} */ i) => list.children[i] !== item)) {
      const focused = document.activeElement?.closest?.("[data-request]");
      fill(list, items);
      const again = focused && items.find((/** @type {HTMLElement} */ item) => item.dataset.request === /** @type {HTMLElement} */ (focused).dataset.request);
      if (again && !again.contains(document.activeElement)) again.querySelector("summary").focus();
    }
  }

  return {
    root: own.root,
    filters,
    async update() {
      har.href = `/api/v1/slowest.har${query(parameters())}`;
      const asked = JSON.stringify(view());
      const reply = await ask("/api/v1/slowest", parameters());
      if (asked !== JSON.stringify(view())) return;
      if (reply.ok) {
        answer = reply.value;
        show();
      } else own.failed(reply.message, answer);
    },
  };
}

/** @param {any} request */
function nameOf(request) {
  return `${request.ended_ms} ${request.connection} ${request.path}`;
}

/** @param {Map<string, HTMLElement>} before @param {any} request */
function isOpen(before, request) {
  const known = [...before.values()].find((item) => item.dataset.request === nameOf(request));
  return known?.querySelector("details")?.open ?? false;
}

/** @param {any} request @param {number} mostMs @param {boolean} open */
function requestItem(request, mostMs, open) {
  const hidden = request.hidden ?? [];
  const bars = el("span", { class: "bars" },
    hidden.map((/** @type {any} */ attempt) => bar(attempt, mostMs, "hidden-attempt")), bar(request, mostMs, "seen"));
  const connection = request.idle_before_ms === null || request.idle_before_ms === undefined
    ? "new connection" : `idle ${duration(request.idle_before_ms)} before`;
  const again = hidden.length > 0 ? `, ${hidden.length} hidden` : "";
  const details = el("details", { open },
    el("summary", {},
      el("span", { class: "took" }, duration(request.duration_ms)), bars,
      el("span", { class: "what" }, el("b", {}, request.method ?? "?"), " ", request.path),
      el("span", { class: "end" }, `${request.status ?? request.code ?? "no answer"}`),
      el("span", { class: "muted" }, `${connection}${again}`),
      el("time", { class: "muted", datetime: new Date(request.ended_ms).toISOString() }, moment(request.ended_ms, now()))));
  const fillOnce = () => {
    if (details.open && details.children.length === 1) details.append(requestDetails(request, hidden));
  };
  details.addEventListener("toggle", fillOnce);
  fillOnce();
  return el("li", {}, details);
}

/** @param {any} request @param {any[]} hidden */
function requestDetails(request, hidden) {
  const attempts = [...hidden, request];
  const rows = attempts.map((attempt) => [
    `${attempt.attempt ?? 1}${attempt === request ? "" : ", hidden"}`,
    attempt.status ?? "–", attempt.code ?? "–", duration(attempt.duration_ms),
    attempt.idle_before_ms === null || attempt.idle_before_ms === undefined ? "new" : `reused, idle ${duration(attempt.idle_before_ms)}`,
    phasesInWords(attempt) || "–",
    attempt.connection ? connectionButton(attempt.connection) : "–",
  ]);
  return el("div", { class: "request" },
    el("div", { class: "own-scale", role: "img", "aria-label": attempts.map((attempt) =>
      `Attempt ${attempt.attempt ?? 1}: ${phasesInWords(attempt)}`).join(". ") },
      attempts.map((attempt) => bar(attempt, request.duration_ms, "large"))),
    table({
      caption: `${request.method ?? "?"} ${request.path}, ended ${clockTime(request.ended_ms)}, told by ${request.side} ${request.instance}` +
        `${request.request ? `, ${request.request}` : ""}`,
      stack: true,
      columns: [{ name: "Attempt" }, { name: "Status" }, { name: "Code" }, { name: "Took", numeric: true },
        { name: "Connection was" }, { name: "Phases" }, { name: "Connection" }],
    }, rows));
}

/** The filters of this panel; each goes into the address. */
function filterForm() {
  const choose = (/** @type {string} */ label, /** @type {"method"|"reused"} */ key, /** @type {[string, string][]} */ options) => {
    const select = el("select", { id: `filter-${key}`, onchange: () => look({ [key]: select.value }) },
      options.map(([value, text]) => el("option", { value }, text)));
    return { key, field: select, root: el("label", {}, `${label} `, select) };
  };
  const write = (/** @type {string} */ label, /** @type {"head"|"status"} */ key, /** @type {string} */ placeholder, /** @type {number} */ size) => {
    const input = el("input", { id: `filter-${key}`, size, placeholder, maxlength: 100, list: key === "head" ? "head-names" : null,
      autocomplete: "off", spellcheck: "false", onchange: () => look({ [key]: input.value.trim() }) });
    return { key, field: input, root: el("label", {}, `${label} `, input) };
  };
  const names = el("datalist", { id: "head-names" });
  const fields = [
    write("Head", "head", "any", 9),
    choose("Method", "method", [["", "any"], ...METHODS.map((name) => /** @type {[string, string]} */ ([name, name]))]),
    write("Status", "status", "any", 5),
    choose("Connection", "reused", [["", "any"], ["true", "reused"], ["false", "new"]]),
  ];
  const root = el("form", { class: "filters", role: "search", "aria-label": "Filters of the slowest requests",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    fields.map((field) => field.root), names,
    el("button", { type: "button", class: "quiet", onclick: () => look({ head: "", method: "", status: "", reused: "" }) }, "Clear"));
  return {
    root,
    say() {
      for (const { key, field } of fields) {
        // What is being typed is not yet in the address.
        if (field !== document.activeElement || field.tagName === "SELECT") field.value = view()[key];
      }
    },
    /** @param {string[]} known */
    heads(known) {
      if (names.children.length !== known.length) fill(names, known.map((value) => el("option", { value })));
    },
  };
}
