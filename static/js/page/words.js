// @ts-check
import { about, bytes, bytesOf, count, duration, number, ordinal, percent } from "./format.js";

/**
 * The states of a file and their words. Pure; the words are a promise, tests hold them.
 *
 * @typedef {"waiting" | "uploading" | "paused" | "elsewhere" | "offline" | "held" | "away" | "choose" | "queued"
 *   | "processing" | "done" | "upload-failed" | "processing-failed" | "cancelled"} Phase
 *
 * @typedef {object} View what a row shows, as plain values
 * @property {Phase} phase
 * @property {number | null} size bytes of the file
 * @property {number} sent bytes that the server has stored
 * @property {number} [place] in the page's own line, from 1
 * @property {number | null} [ahead] jobs before this one on the server
 * @property {number | null} [speed] bytes per second
 * @property {number | null} [left] seconds
 * @property {number | null} [retryIn] seconds until the next try
 * @property {string} [held] why the server let go of it for now
 * @property {boolean} [sealing] every byte is sent, the server checks the file
 * @property {boolean} [stopping] it was asked to stop
 * @property {import("../headrace/types.d.ts").Progress | null} [progress]
 * @property {number | null} [took] seconds
 * @property {number} [results] how many there are
 *
 * @typedef {{text: string, strong?: boolean, link?: boolean}} Part
 *
 * @typedef {object} Words
 * @property {string} pill
 * @property {"" | "ok" | "warn" | "error" | "quiet"} tone
 * @property {Part[]} detail
 * @property {number} upload 0..1
 * @property {number | null} work 0..1; null where nobody knows
 * @property {boolean} working it is being processed just now
 */

/** @type {Record<Phase, (view: View) => Words>} */
const PHASES = {
  waiting: (v) => words("Waiting", "warn", v, [part(v.place ? `${ordinal(v.place)} in line` : "")]),
  uploading,
  paused: (v) => words("Paused", "quiet", v, [part(saved(v))]),
  elsewhere: (v) => words("Paused", "quiet", v, [part(saved(v)), part("it goes on in another window")]),
  offline: (v) => words("Waiting for connection", "warn", v, [part(saved(v)), part(again(v))]),
  held: (v) => words("Waiting", "warn", v, [part(saved(v)), part(HELD[v.held ?? ""] ?? HELD.busy), part(again(v))]),
  away: (v) =>
    words("Waiting for connection", "warn", v, [part("the server goes on with it"), part(again(v))], v.progress ? work(v) : 0),
  choose: (v) => words("Choose the file again", "warn", v, [part(`to continue from ${bytes(v.sent)}`)]),
  queued: (v) => words("Waiting", "warn", v, [part(typeof v.ahead === "number" ? `${ordinal(v.ahead + 1)} in line` : "for a worker")]),
  processing,
  done: (v) =>
    words("Done", "ok", v, [part(size(v)), part(v.took ? `took ${duration(v.took)}` : ""), results(v.results)], 1),
  "upload-failed": (v) => words("Upload failed", "error", v, [part(v.sent > 0 ? saved(v) : size(v))]),
  "processing-failed": (v) => words("Processing failed", "error", v, [part(size(v)), part(stopped(v))], v.progress ? work(v) : 0),
  cancelled: (v) => words("Cancelled", "quiet", v, [part(size(v))], v.progress ? work(v) : 0),
};

/** @type {Record<string, string>} */
const HELD = {
  storage_full: "the server's disk is full",
  draining: "the server restarts",
  busy: "the server is busy",
  rate_limited: "the server is busy",
};

/**
 * @param {View} view
 * @returns {Words}
 */
export function describe(view) {
  return PHASES[view.phase](view);
}

/** @param {View} v */
function uploading(v) {
  const told = v.size === null ? "" : ` ${percent(v.sent, v.size)} %`;
  // A job may already read what is still arriving.
  const done = v.progress ? work(v) : 0;
  if (v.sealing) return words(`Uploading${told}`, "", v, [part(size(v)), part("checking that it arrived whole")], done);
  const speed = v.speed ? `${bytes(v.speed)}/s` : "";
  const left = typeof v.left === "number" ? about(v.left) : "";
  return words(`Uploading${told}`, "", v, [part(progress(v)), part(speed), part(left)], done);
}

/** @param {View} v */
function processing(v) {
  const { message = "" } = v.progress ?? {};
  const done = work(v);
  const told = done === null ? "" : ` ${percent(done, 1)} %`;
  const left = typeof v.left === "number" ? about(v.left) : "";
  const detail = v.stopping
    ? [part("stopping")]
    : [part(message, true), part(amount(v.progress)), part(left)];
  const shown = detail.some((one) => one.text) ? detail : [part(size(v))];
  return { ...words(`Processing${told}`, "", v, shown, done), working: true };
}

/**
 * @param {string} pill
 * @param {Words["tone"]} tone
 * @param {View} v
 * @param {Part[]} detail
 * @param {number | null} [done]
 * @returns {Words}
 */
function words(pill, tone, v, detail, done = 0) {
  const whole = STORED.has(v.phase) ? 1 : v.size ? v.sent / v.size : 0;
  return { pill, tone, detail: detail.filter((one) => one.text), upload: Math.min(1, whole), work: done, working: false };
}

const STORED = new Set(["away", "queued", "processing", "done", "processing-failed"]);

/**
 * @param {string} text
 * @param {boolean} [strong]
 * @returns {Part}
 */
function part(text, strong = false) {
  return { text, strong };
}

/** @param {View} v */
const size = (v) => (v.size === null ? "" : bytes(v.size));

/** @param {View} v */
const progress = (v) => (v.size === null ? bytes(v.sent) : bytesOf(v.sent, v.size));

/** @param {View} v */
const saved = (v) => `${progress(v)} saved on the server`;

/** @param {View} v */
function again(v) {
  if (typeof v.retryIn !== "number") return "nothing is lost";
  return v.retryIn < 1 ? "trying again now, nothing is lost" : `trying again in ${Math.ceil(v.retryIn)} s, nothing is lost`;
}

/**
 * @param {number | undefined} n
 * @returns {Part}
 */
function results(n = 0) {
  return { text: n > 0 ? count(n, "result") : "", link: true };
}

/**
 * @param {View} v
 * @returns {number | null} 0..1
 */
export function work(v) {
  const { done = 0, total = null } = v.progress ?? {};
  return typeof total === "number" && total > 0 ? Math.min(1, done / total) : null;
}

/** @param {import("../headrace/types.d.ts").Progress | null | undefined} value */
function amount(value) {
  if (!value) return "";
  const { done, total = null, unit = "" } = value;
  const known = typeof total === "number" && total > 0;
  if (/^bytes?$/i.test(unit) || (unit === "" && known && total > 100_000)) return known ? bytesOf(done, total) : bytes(done);
  if (unit === "") return "";
  return `${number(done)}${known ? ` of ${number(total)}` : ""} ${unit}`;
}

/**
 * "step 1 of 3", where the progress says so.
 *
 * @param {import("../headrace/types.d.ts").Progress | null | undefined} progress
 */
export function stepOf(progress) {
  return /^step \d+ of \d+/i.exec(progress?.message ?? "")?.[0].toLowerCase() ?? "";
}

/** @param {View} v */
function stopped(v) {
  const done = work(v);
  const where = stepOf(v.progress) || (done === null ? "" : `${percent(done, 1)} %`);
  const after = v.took ? `after ${duration(v.took)}` : "";
  return where || after ? `stopped ${where && `at ${where} `}${after}`.trim() : "";
}

/**
 * "1 of 5 done · 1 uploading · 1 failed": the whole list in a line.
 *
 * @param {Phase[]} phases
 * @returns {{text: string, tone: "" | "strong" | "bad"}[]}
 */
export function summary(phases) {
  const n = (/** @type {Phase[]} */ ...some) => phases.filter((phase) => some.includes(phase)).length;
  /** @type {Array<[number, string]>} */
  const rest = [
    [n("uploading"), "uploading"],
    [n("processing"), "processing"],
    [n("waiting", "queued", "held"), "waiting"],
    [n("offline", "away"), "waiting for connection"],
    [n("paused", "elsewhere"), "paused"],
    [n("choose"), "to choose again"],
    [n("cancelled"), "cancelled"],
  ];
  const failed = n("upload-failed", "processing-failed");
  return [
    { text: `${number(n("done"))} of ${number(phases.length)} done`, tone: "strong" },
    ...rest.filter(([k]) => k > 0).map(([k, word]) => ({ text: `${number(k)} ${word}`, tone: /** @type {""} */ ("") })),
    ...(failed > 0 ? [{ text: `${number(failed)} failed`, tone: /** @type {"bad"} */ ("bad") }] : []),
  ];
}
