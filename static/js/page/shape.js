// @ts-check
/** What kind of thing a result is, and how its parts are called and written. Pure: value.js draws it. */
import { bytes, number } from "./format.js";

/**
 * @typedef {null | boolean | number | string} Scalar
 * @typedef {{from: number, to: number, count: number}} Bin
 * @typedef {"nothing" | "scalar" | "histogram" | "table" | "pairs" | "scalars" | "list" | "object"} Shape
 */

/**
 * @param {unknown} value
 * @returns {value is Scalar}
 */
export function isScalar(value) {
  return value === null || ["boolean", "number", "string"].includes(typeof value);
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} value
 * @returns {value is Bin[]}
 */
export function isHistogram(value) {
  const isBin = (/** @type {unknown} */ bin) =>
    isObject(bin) && "from" in bin && "to" in bin && typeof bin.count === "number" && Object.keys(bin).length === 3;
  return Array.isArray(value) && value.length > 0 && value.every(isBin);
}

/**
 * @param {unknown} value
 * @returns {Shape}
 */
export function shapeOf(value) {
  if (value === undefined || value === null) return "nothing";
  if (isScalar(value)) return "scalar";
  if (!Array.isArray(value)) return Object.keys(/** @type {object} */ (value)).length > 0 ? "object" : "nothing";
  if (value.length === 0) return "nothing";
  if (isHistogram(value)) return "histogram";
  if (value.every(isObject)) return value.every(isFlat) ? "table" : "list";
  if (value.every((one) => Array.isArray(one) && one.length === 2 && one.every(isScalar))) return "pairs";
  return value.every(isScalar) ? "scalars" : "list";
}

/**
 * An object whose values fit the cells of a table: plain ones, short lists of plain ones, histograms.
 *
 * @param {Record<string, unknown>} value
 */
function isFlat(value) {
  return Object.values(value).every(
    (one) => isScalar(one) || isHistogram(one) || (Array.isArray(one) && one.length <= 8 && one.every(isScalar)),
  );
}

/**
 * The columns of a list of objects, in the order in which they first come; those that are empty everywhere are left out.
 *
 * @param {Record<string, unknown>[]} rows
 * @returns {string[]}
 */
export function columnsOf(rows) {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  const filled = [...names].filter((name) => rows.some((row) => shapeOf(row[name]) !== "nothing"));
  return filled.length > 0 ? filled : [...names];
}

/**
 * row_count: Row count; sha256: SHA-256; taken_at: Taken at.
 *
 * @param {string} key
 */
export function labelOf(key) {
  if (/^sha[-_]?\d+$/i.test(key)) return `SHA-${key.replace(/\D/g, "")}`;
  const words = key.replace(/([a-z\d])([A-Z])/g, "$1 $2").replace(/[_\s]+/g, " ").trim();
  const sentence = words.slice(0, 1).toUpperCase() + words.slice(1);
  return sentence.replace(/\b(csv|exif|gps|html|id|iso|json|mime|pdf|tsv|url|utf)\b/gi, (word) => word.toUpperCase());
}

/**
 * A plain value as text. `key` tells what it means: bytes are written as sizes, years and ids without thousands.
 *
 * @param {Scalar} value
 * @param {string} [key]
 * @param {boolean} [brief] in a table's cell, where "size" may be anybody's
 */
export function scalarText(value, key = "", brief = false) {
  if (value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if ((/(^|_)bytes$/i.test(key) || (key === "size" && !brief)) && value >= 0) {
    return value < 1000 || brief ? bytes(value) : `${bytes(value)} (${number(value)} bytes)`;
  }
  return /(^|_)(id|year|code|zip|port)$/i.test(key) ? String(value) : number(value);
}

/**
 * Long, and without a place to break: digests, ids, encoded data.
 *
 * @param {unknown} value
 */
export function isCode(value) {
  return typeof value === "string" && value.length >= 24 && /^[\w+/=.:-]+$/.test(value);
}

/**
 * How many rows a result has, for its heading; null where it is not rows.
 *
 * @param {unknown} value
 */
export function rowCount(value) {
  const shape = shapeOf(value);
  return shape === "table" || shape === "pairs" ? /** @type {unknown[]} */ (value).length : null;
}
