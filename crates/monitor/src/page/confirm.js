// Asks before something is changed.

import { el } from "./dom.js";

/**
 * @param {{title: string, text: string, verb: string, number?: {label: string, value: number, min: number, max: number}}} question
 * @returns {Promise<{number: number}|null>} null if the answer is no
 */
export function confirm({ title, text, verb, number }) {
  const field = number && el("input", {
    type: "number", id: "confirm-number", required: true, step: 1,
    min: number.min, max: number.max, value: number.value,
  });
  const form = el("form", { method: "dialog" },
    el("h2", { id: "confirm-title" }, title),
    el("p", { id: "confirm-text" }, text),
    number && el("p", {}, el("label", { for: "confirm-number" }, number.label), " ", field),
    el("div", { class: "buttons" },
      el("button", { type: "submit", value: "no", formnovalidate: true }, "Cancel"),
      el("button", { type: "submit", value: "yes", class: "strong" }, verb)));
  const dialog = el("dialog", { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? { number: Number(field?.value ?? 0) } : null);
    });
  });
}
