// Building the page. Every word from outside enters as text, never as markup.

/** @typedef {Node|string|number|null|undefined|false} Child */

/**
 * An element with attributes and children. An attribute whose name begins with `on` is a
 * listener; one that is null, undefined or false is left out.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Child|Child[])} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  fill(element, children);
  return element;
}

/** @param {Element} element @param {(Child|Child[])[]} children */
export function fill(element, children) {
  const nodes = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/**
 * Sets the text where it differs, so that screen readers and selections are left alone.
 * @param {Element} element @param {unknown} value
 */
export function say(element, value) {
  const text = String(value);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @typedef {{name: string, numeric?: boolean}} Column
 * A table that keeps its meaning when narrow screens show its rows as blocks.
 * @param {{caption: string, columns: Column[], stack?: boolean, quiet?: boolean}} shape
 * @param {(Child|Child[])[][]} rows the first cell of a row is its heading
 */
export function table({ caption, columns, stack = false, quiet = false }, rows) {
  if (rows.length === 0) return el("p", { class: "muted" }, `${caption}: none.`);
  const head = columns.map(({ name, numeric }) =>
    el("th", { scope: "col", role: "columnheader", class: numeric ? "number" : null }, name));
  const body = rows.map((cells) =>
    el("tr", { role: "row" }, cells.map((cell, place) => tableCell(columns[place], place, cell))));
  return el("table", { role: "table", class: stack ? "stack" : null },
    el("caption", { class: quiet ? "unseen" : null }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    el("tbody", { role: "rowgroup" }, body));
}

/** @param {Column} column @param {number} place @param {Child|Child[]} content */
export function tableCell(column, place, content) {
  const first = place === 0;
  return el(first ? "th" : "td", {
    scope: first ? "row" : null,
    role: first ? "rowheader" : "cell",
    class: column.numeric ? "number" : null,
    "data-label": column.name,
  }, content);
}

/**
 * Tells people who hear the page what people who see it see anyway.
 * @param {string} text
 */
export function announce(text) {
  const place = document.getElementById("announce");
  if (place) place.textContent = text;
}
