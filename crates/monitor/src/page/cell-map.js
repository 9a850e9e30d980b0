// Counts on a grid of two scales, drawn on a canvas: with a pointer or the arrow keys a
// cell is read and a box is drawn.

import { announce, el, say } from "./dom.js";
import { heat, ink, level } from "./palette.js";

/**
 * @typedef {{columns: number, rows: number, counts: number[][], most: number,
 *   xTicks: {at: number, text: string}[], yTicks: {at: number, text: string}[],
 *   lines?: {axis: "x"|"y", at: number, text: string}[]}} Cells counts by column, then row from below
 * @typedef {{c0: number, c1: number, r0: number, r1: number}} Box both ends included
 */

const LEFT = 58;
const RIGHT = 28;
const BOTTOM = 24;
/** A label of a line takes a row above the cells. */
const LABEL = 15;

/**
 * @param {{height: number, describe: (column: number, row: number) => string,
 *   onBox?: (box: Box|null) => void}} options without `onBox` there are no boxes
 */
export function cellMap({ height, describe, onBox }) {
  /** @type {Cells|null} */
  let cells = null;
  /** @type {Box|null} */
  let box = null;
  /** @type {{column: number, row: number}|null} */
  let cursor = null;
  /** @type {{column: number, row: number}|null} */
  let anchor = null;
  let isDragging = false;
  const canvas = el("canvas", { class: "cells", tabindex: "0", role: "img", "aria-label": "Nothing has been told yet." });
  const readout = el("p", { class: "readout" });
  canvas.addEventListener("pointerdown", press);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { if (!isDragging) point(null); });
  canvas.addEventListener("keydown", key);
  canvas.addEventListener("blur", () => point(null));
  canvas.style.height = `${height}px`;
  new ResizeObserver(draw).observe(canvas);

  const top = () => 6 + LABEL * (cells?.lines?.filter(({ axis }) => axis === "x").length ?? 0);
  const geometry = () => {
    const width = canvas.clientWidth;
    const [w, h] = [(width - LEFT - RIGHT) / (cells?.columns || 1), (height - BOTTOM - top()) / (cells?.rows || 1)];
    return { width, w, h, x: (/** @type {number} */ c) => LEFT + c * w, y: (/** @type {number} */ r) => height - BOTTOM - r * h };
  };

  /** @param {PointerEvent} event */
  function cellAt(event) {
    if (!cells || cells.columns === 0) return null;
    const { w, h } = geometry();
    const clamp = (/** @type {number} */ value, /** @type {number} */ max) => Math.min(Math.max(Math.floor(value), 0), max - 1);
    return {
      column: clamp((event.offsetX - LEFT) / w, cells.columns),
      row: clamp((height - BOTTOM - event.offsetY) / h, cells.rows),
    };
  }

  /** @param {PointerEvent} event */
  function press(event) {
    if (!onBox || event.button !== 0) return;
    anchor = cellAt(event);
    isDragging = anchor !== null;
    if (isDragging) canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  function move(event) {
    point(cellAt(event));
    if (isDragging && cursor && anchor) span(anchor, cursor);
  }

  function release() {
    if (!isDragging) return;
    isDragging = false;
    if (box) onBox?.(box);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (!cells || cells.columns === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
      Home: [-cells.columns, 0], End: [cells.columns, 0], PageUp: [0, cells.rows], PageDown: [0, -cells.rows],
    })[event.key];
    if (step) walk(step, event.shiftKey && onBox !== undefined);
    else if (event.key === "Enter" && onBox && cursor) {
      if (!box) span(cursor, cursor);
      onBox(box);
    } else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  }

  /** @param {[number, number]} step @param {boolean} isBox */
  function walk([dx, dy], isBox) {
    const { columns, rows } = /** @type {Cells} */ (cells);
    const from = cursor ?? { column: columns, row: 0 };
    if (isBox && !anchor) anchor = cursor ?? { column: columns - 1, row: 0 };
    const clamp = (/** @type {number} */ value, /** @type {number} */ max) => Math.min(Math.max(value, 0), max - 1);
    point({ column: clamp(from.column + dx, columns), row: clamp(from.row + dy, rows) });
    if (isBox && anchor && cursor) span(anchor, cursor);
    if (!isBox) anchor = null;
    announce(readout.textContent ?? "");
  }

  /** @param {{column: number, row: number}|null} cell */
  function point(cell) {
    cursor = cell;
    say(readout, cell ? describe(cell.column, cell.row) : "");
    draw();
  }

  /** @param {{column: number, row: number}} a @param {{column: number, row: number}} b */
  function span(a, b) {
    box = {
      c0: Math.min(a.column, b.column), c1: Math.max(a.column, b.column),
      r0: Math.min(a.row, b.row), r1: Math.max(a.row, b.row),
    };
    draw();
  }

  function clear() {
    anchor = null;
    box = null;
    draw();
    onBox?.(null);
  }

  function draw() {
    const ctx = canvas.getContext("2d");
    const geo = geometry();
    if (!ctx || geo.width === 0) return;
    const ratio = devicePixelRatio || 1;
    const [width, tall] = [Math.round(geo.width * ratio), Math.round(height * ratio)];
    if (canvas.width !== width || canvas.height !== tall) Object.assign(canvas, { width, height: tall });
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, geo.width, height);
    ctx.font = "11px system-ui";
    if (!cells) return;
    paint(ctx, geo, cells);
    scales(ctx, geo, cells, top());
    outline(ctx, geo);
  }

  /** @param {CanvasRenderingContext2D} ctx @param {ReturnType<typeof geometry>} geo */
  function outline(ctx, geo) {
    const frame = (/** @type {Box} */ { c0, c1, r0, r1 }, /** @type {number[]} */ dash) => {
      const [x, y, w, h] = [geo.x(c0), geo.y(r1 + 1), (c1 - c0 + 1) * geo.w, (r1 - r0 + 1) * geo.h];
      // Two colours: one of them differs from whatever lies under it.
      for (const [color, line] of /** @type {[string, number][]} */ ([["ground", 4], ["text", 2]])) {
        ctx.strokeStyle = ink(color);
        ctx.lineWidth = line;
        ctx.setLineDash(color === "text" ? dash : []);
        ctx.strokeRect(x, y, w, h);
      }
      ctx.setLineDash([]);
    };
    if (cursor) frame({ c0: cursor.column, c1: cursor.column, r0: cursor.row, r1: cursor.row }, [3, 2]);
    if (box) frame(box, []);
  }

  return {
    canvas, readout, draw, clear,
    /** @param {Cells} next @param {string} summary */
    update(next, summary) {
      cells = next;
      if (cursor && (cursor.column >= next.columns || cursor.row >= next.rows)) cursor = null;
      if (cursor) say(readout, describe(cursor.column, cursor.row));
      canvas.setAttribute("aria-label", summary);
      draw();
    },
    /** Keeps the box on the same cells when time has moved on. @param {Box|null} next */
    place(next) {
      box = next;
      draw();
    },
  };
}

/** @param {CanvasRenderingContext2D} ctx @param {any} geo @param {Cells} cells */
function paint(ctx, geo, { columns, rows, counts, most }) {
  const gap = geo.w > 5 ? 1 : 0;
  for (let c = 0; c < columns; c += 1) {
    for (let r = 0; r < rows; r += 1) {
      const n = counts[c]?.[r] ?? 0;
      if (n <= 0) continue;
      ctx.fillStyle = heat(level(n, most));
      ctx.fillRect(geo.x(c), geo.y(r + 1), Math.max(1, geo.w - gap), Math.max(1, geo.h - gap));
    }
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {any} geo @param {Cells} cells @param {number} top */
function scales(ctx, geo, { columns, rows, xTicks, yTicks, lines = [] }, top) {
  ctx.strokeStyle = ink("rule");
  ctx.fillStyle = ink("muted");
  ctx.lineWidth = 1;
  ctx.strokeRect(LEFT + 0.5, Math.round(geo.y(rows)) + 0.5, columns * geo.w, rows * geo.h);
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const { at, text } of yTicks) ctx.fillText(text, LEFT - 6, geo.y(at));
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const { at, text } of xTicks) ctx.fillText(text, Math.min(geo.x(at), geo.width - 20), geo.y(0) + 7);
  ctx.textBaseline = "alphabetic";
  limits(ctx, geo, lines, columns, top);
}

/**
 * Lines with their names. The name of the leftmost is the highest, so that it crosses no line.
 * @param {CanvasRenderingContext2D} ctx @param {any} geo @param {{axis: "x"|"y", at: number, text: string}[]} lines
 * @param {number} columns @param {number} top
 */
function limits(ctx, geo, lines, columns, top) {
  let y = top;
  const names = [];
  ctx.strokeStyle = ink("text");
  ctx.lineWidth = 1.5;
  for (const { axis, at, text } of [...lines].sort((a, b) => b.at - a.at)) {
    const width = ctx.measureText(text).width;
    ctx.beginPath();
    if (axis === "x") {
      y -= LABEL;
      ctx.moveTo(geo.x(at), y);
      ctx.lineTo(geo.x(at), geo.y(0));
      const isLeft = geo.x(at) + width + 8 > geo.width;
      names.push({ text, x: geo.x(at) + (isLeft ? -width - 5 : 5), y: y + 10, width });
    } else {
      ctx.moveTo(geo.x(0), geo.y(at));
      ctx.lineTo(geo.x(columns), geo.y(at));
      names.push({ text, x: geo.x(columns) - width - 4, y: geo.y(at) - 4, width });
    }
    ctx.stroke();
  }
  for (const { text, x, y: line, width } of names) named(ctx, text, x, line, width);
}

/** @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} x @param {number} y @param {number} width */
function named(ctx, text, x, y, width) {
  ctx.fillStyle = ink("panel");
  ctx.fillRect(x - 2, y - 10, width + 4, 13);
  ctx.fillStyle = ink("text");
  ctx.textAlign = "left";
  ctx.fillText(text, x, y);
}

/** What the colours stand for. */
export function colorKey() {
  const bar = el("canvas", { class: "key-bar", width: 96, height: 8, "aria-hidden": "true" });
  const most = el("span", {});
  const root = el("span", { class: "key", hidden: true }, "1 ", bar, " ", most);
  return {
    root,
    /** @param {string} text */
    update(text) {
      root.hidden = false;
      say(most, text);
      const ctx = bar.getContext("2d");
      for (let x = 0; ctx && x < 96; x += 1) {
        ctx.fillStyle = heat(x / 95);
        ctx.fillRect(x, 0, 1, 8);
      }
    },
  };
}
