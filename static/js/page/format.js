// @ts-check
/** Numbers, sizes, times and names as the page writes them. Pure. The page speaks English, so the numbers do too. */

/**
 * A formatter is costly to make (20 ms and more for the first), so none is made before it is needed.
 *
 * @param {Intl.NumberFormatOptions} options
 */
function formatter(options) {
  /** @type {Intl.NumberFormat | undefined} */
  let made;
  return { format: (/** @type {number} */ value) => (made ??= new Intl.NumberFormat("en", options)).format(value) };
}

const whole = formatter({ maximumFractionDigits: 0 });
const tenths = formatter({ maximumFractionDigits: 1 });
const plain = formatter({ maximumSignificantDigits: 6 });
const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

/** @param {number} value */
export function number(value) {
  return Number.isInteger(value) ? whole.format(value) : plain.format(value);
}

/** @param {number} bytes */
function unitOf(bytes) {
  let unit = 0;
  // 999.5 KB would be written "1,000 KB".
  for (let rest = bytes; rest >= 999.5 && unit < UNITS.length - 1; rest /= 1000) unit += 1;
  return unit;
}

/**
 * @param {number} bytes
 * @param {number} unit
 * @param {number} coarse from here on without a decimal
 */
function inUnit(bytes, unit, coarse) {
  const value = bytes / 1000 ** unit;
  return unit > 0 && value < coarse ? tenths.format(value) : whole.format(value);
}

/**
 * 5.1 MB, 18.7 MB, 105 KB, 612 bytes.
 *
 * @param {number} value
 */
export function bytes(value) {
  const unit = unitOf(value);
  return value === 1 ? "1 byte" : `${inUnit(value, unit, 99.95)} ${UNITS[unit]}`;
}

/**
 * 18 of 50 MB, 300 MB of 1.2 GB.
 *
 * @param {number} done
 * @param {number} total
 */
export function bytesOf(done, total) {
  const unit = unitOf(total);
  if (done > 0 && unitOf(done) < unit) return `${bytes(done)} of ${bytes(total)}`;
  return `${inUnit(done, unit, 9.95)} of ${inUnit(total, unit, 9.95)} ${UNITS[unit]}`;
}

/**
 * 36, and never 100 before it is all there.
 *
 * @param {number} done
 * @param {number} total
 */
export function percent(done, total) {
  // 0.57 * 100 is 56.99999999999999.
  return total > 0 ? Math.min(100, Math.floor((done / total) * 100 + 1e-9)) : 100;
}

/**
 * How long something took: 0.2 s, 6 s, 1 min 5 s, 2 h 10 min.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 0.05) return "less than 0.1 s";
  if (seconds < 9.95) return `${tenths.format(seconds)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  const minutes = Math.round(s / 60);
  return `${whole.format(Math.floor(minutes / 60))} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

/**
 * How long something will take, no finer than anybody can know: 7 s, 25 s, 4 min, 2 h.
 *
 * @param {number} seconds
 */
export function about(seconds) {
  const s = Math.max(1, Math.round(seconds));
  if (s < 15) return `about ${s} s left`;
  if (s < 55) return `about ${Math.round(s / 5) * 5} s left`;
  if (s < 3570) return `about ${Math.max(1, Math.round(s / 60))} min left`;
  return `about ${Math.round(s / 3600)} h left`;
}

/** @param {number} n */
export function ordinal(n) {
  const tens = n % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${whole.format(n)}${ending}`;
}

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function count(n, one, many = `${one}s`) {
  return `${whole.format(n)} ${n === 1 ? one : many}`;
}

/**
 * A file's name, harmless to look at: control characters as their pictures; those that turn the direction of writing
 * (they can make "exe.jpg" of "gpj.exe") by number. Joiners stay: scripts and emoji need them.
 *
 * @param {string} name
 */
export function safeName(name) {
  const shown = name
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Cs}/gu, (c) => {
      return `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
    });
  return shown.trim() || "(no name)";
}

/**
 * What stands in the place of a thumbnail: the ending of the name, else the content type's own word.
 *
 * @param {string} name
 * @param {string} [type]
 */
export function kind(name, type = "") {
  const ending = /\.([a-z0-9]{1,8})$/i.exec(name)?.[1] ?? "";
  const word = ending || (/^[\w.-]+\/(?:x-|vnd\.)?([a-z0-9]{1,8})$/i.exec(type)?.[1] ?? "");
  return word.length > 4 ? word.slice(0, 4).toUpperCase() : word.toUpperCase() || "FILE";
}

/**
 * 11:45:02, in the reader's zone; with `fine` 11:45:02.118.
 *
 * @param {string | null} iso
 * @param {boolean} [fine]
 */
export function clock(iso, fine = false) {
  const date = iso ? new Date(iso) : null;
  if (!date || Number.isNaN(date.getTime())) return "";
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return fine ? `${time}.${String(date.getMilliseconds()).padStart(3, "0")}` : time;
}

/**
 * Seconds from one time to another; null where one is not known.
 *
 * @param {string | null | undefined} from
 * @param {string | null | undefined} to
 */
export function between(from, to) {
  if (!from || !to) return null;
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}
