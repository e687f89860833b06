// @ts-check
import { h } from "./dom.js";
import { number } from "./format.js";
import { histogram } from "./histogram.js";
import { columnsOf, isCode, isHistogram, isScalar, labelOf, scalarText, shapeOf } from "./shape.js";

/**
 * @typedef {import("./shape.js").Scalar} Scalar
 * @typedef {import("./shape.js").Bin} Bin
 * @typedef {{rows: number, columns: number, label: string, depth: number, quiet: boolean}} Room how much may be shown;
 *   `quiet`: without saying how much more there is
 */

const DEEPEST = 4;

/**
 * Any JSON value as something to read: a table, facts, a chart, text.
 *
 * @param {unknown} value
 * @param {Partial<Room>} [given]
 * @returns {HTMLElement}
 */
export function drawValue(value, given = {}) {
  const room = { rows: 200, columns: 24, label: "Result", depth: 0, quiet: false, ...given };
  switch (shapeOf(value)) {
    case "nothing":
      return h("p", { class: "none" }, "nothing");
    case "scalar":
      return text(/** @type {Scalar} */ (value));
    case "histogram":
      return histogram(/** @type {Bin[]} */ (value), room.label);
    case "table":
      return table(/** @type {Record<string, unknown>[]} */ (value), room);
    case "pairs":
      return pairs(/** @type {[Scalar, Scalar][]} */ (value), room);
    case "scalars":
      return scalars(/** @type {Scalar[]} */ (value), room);
    case "list":
      return list(/** @type {unknown[]} */ (value), room);
    default:
      return facts(/** @type {Record<string, unknown>} */ (value), room);
  }
}

/** @param {Scalar} value */
function text(value) {
  return h("p", { class: isCode(value) ? "code" : "text" }, scalarText(value));
}

/**
 * @param {Record<string, unknown>[]} rows
 * @param {Room} room
 */
function table(rows, room) {
  const all = columnsOf(rows);
  const columns = all.slice(0, room.columns);
  const numeric = new Set(columns.filter((name) => rows.every((row) => row[name] === null || typeof row[name] === "number")));
  const head = columns.map((name) => h("th", { scope: "col", class: numeric.has(name) && "number" }, labelOf(name)));
  const body = rows.slice(0, room.rows).map((row) => {
    return h("tr", {}, ...columns.map((name) => cell(row[name], name, numeric.has(name), room)));
  });
  const drawn = h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
  return scrolling(drawn, room, [more(rows.length - body.length, "row"), more(all.length - columns.length, "column")]);
}

/**
 * @param {unknown} value
 * @param {string} name
 * @param {boolean} numeric
 * @param {Room} room
 */
function cell(value, name, numeric, room) {
  if (isHistogram(value)) return h("td", {}, histogram(value, `${room.label}, ${labelOf(name)}`, true));
  if (Array.isArray(value)) return h("td", {}, value.map((one) => scalarText(one)).join(", "));
  const plain = isScalar(value) ? value : null;
  return h("td", { class: numeric ? "number" : isCode(plain) && "code" }, scalarText(plain, name, true));
}

/**
 * @param {[Scalar, Scalar][]} rows
 * @param {Room} room
 */
function pairs(rows, room) {
  const shown = rows.slice(0, room.rows).map(([name, value]) => {
    const kind = typeof value === "number" ? "number" : "";
    return h("tr", {}, h("th", { scope: "row" }, scalarText(name)), h("td", { class: kind }, scalarText(value)));
  });
  return scrolling(h("table", {}, h("tbody", {}, ...shown)), room, [more(rows.length - shown.length, "row")]);
}

/**
 * A table may be wider than its place: it scrolls, with the keyboard too.
 *
 * @param {HTMLElement} drawn
 * @param {Room} room
 * @param {Array<HTMLElement | null>} notes
 */
function scrolling(drawn, room, notes) {
  const region = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${room.label}, table` }, drawn);
  return h("div", {}, region, ...(room.quiet ? [] : notes));
}

/**
 * @param {number} n
 * @param {string} what
 */
function more(n, what) {
  return n > 0 ? h("p", { class: "muted small" }, `and ${number(n)} more ${n === 1 ? what : `${what}s`}`) : null;
}

/**
 * @param {Scalar[]} values
 * @param {Room} room
 */
function scalars(values, room) {
  const shown = values.slice(0, room.rows).map((one) => scalarText(one));
  if (shown.join(", ").length < 160) return h("p", { class: "text" }, shown.join(", "));
  return h("div", {}, h("ul", {}, ...shown.map((one) => h("li", { class: "text" }, one))), more(values.length - shown.length, "value"));
}

/**
 * @param {unknown[]} values
 * @param {Room} room
 */
function list(values, room) {
  if (room.depth >= DEEPEST) return json(values);
  const shown = values.slice(0, Math.min(room.rows, 50));
  const items = shown.map((one, at) => h("li", {}, drawValue(one, { ...room, label: `${room.label} ${at + 1}`, depth: room.depth + 1 })));
  return h("div", {}, h("ol", { class: "stack" }, ...items), more(values.length - shown.length, "entry"));
}

/**
 * @param {Record<string, unknown>} value
 * @param {Room} room
 */
function facts(value, room) {
  if (room.depth >= DEEPEST) return json(value);
  const entries = Object.entries(value).slice(0, 100);
  const nodes = entries.flatMap(([key, one]) => {
    const label = labelOf(key);
    const wide = !isScalar(one) && shapeOf(one) !== "nothing" && !(shapeOf(one) === "scalars" && room.depth === 0);
    const drawn = isScalar(one) ? scalarText(one, key) : drawValue(one, { ...room, label, depth: room.depth + 1 });
    const kind = isCode(one) ? "code" : typeof one === "string" && one.includes("\n") ? "text" : "";
    return [h("dt", { class: wide && "wide" }, label), h("dd", { class: wide ? "wide" : kind }, drawn)];
  });
  return h("dl", { class: "facts" }, ...nodes);
}

/** @param {unknown} value */
function json(value) {
  return h("pre", { tabindex: "0", role: "region", "aria-label": "Value" }, JSON.stringify(value, null, 2));
}
