// What all panels have: a heading, a remark, and their data as JSON.

import { announce, el, fill, say } from "./dom.js";

/**
 * @param {string} id
 * @param {string} title
 * @param {{json?: () => unknown, tools?: Node[]}} [options] `json` is what its button copies
 */
export function panel(id, title, { json, tools = [] } = {}) {
  const note = el("p", { class: "note", hidden: true });
  const body = el("div", { class: "body" });
  const copyButton = json && el("button", {
    type: "button", class: "quiet", "aria-label": `Copy as JSON: ${title}`, onclick: () => copy(json(), title),
  }, "JSON");
  const root = el("section", { id, class: "panel", "aria-labelledby": `${id}-title` },
    el("div", { class: "panel-head" },
      el("h2", { id: `${id}-title` }, title),
      el("div", { class: "tools" }, tools, copyButton)),
    note, body);
  /** Says why there is nothing, or what is wrong; null takes it away. @param {string|null} text */
  const tell = (text) => {
    note.hidden = text === null;
    say(note, text ?? "");
    body.hidden = false;
  };
  return {
    root, body,
    note: tell,
    /** What it said last stays, if it has said something. @param {string} message @param {unknown} before */
    failed(message, before) {
      tell(before ? `▲ ${message} What is shown is of earlier.` : message);
      body.hidden = !before;
    },
  };
}

/** @param {unknown} value @param {string} title */
async function copy(value, title) {
  const text = JSON.stringify(value ?? null, null, 2);
  try {
    await navigator.clipboard.writeText(text);
    announce(`${title}: copied as JSON.`);
  } catch {
    show(text, title);
  }
}

/** For browsers that do not let pages copy. @param {string} text @param {string} title */
function show(text, title) {
  const area = el("textarea", { readonly: true, rows: 16, "aria-label": `${title} as JSON` });
  area.value = text;
  const dialog = el("dialog", { "aria-label": `${title} as JSON` }, area,
    el("form", { method: "dialog" }, el("button", {}, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}

/**
 * A table that can be opened, made only while it is: what a canvas shows, as numbers.
 * @param {string} title
 * @param {() => Node} make
 */
export function openTable(title, make) {
  const place = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title });
  const details = el("details", { class: "data" }, el("summary", {}, title), place);
  const update = () => {
    if (details.open) fill(place, [make()]);
  };
  details.addEventListener("toggle", update);
  return { root: details, update };
}
