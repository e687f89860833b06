// @ts-check
import { h } from "./dom.js";
import { between, bytes, clock, count, duration } from "./format.js";
import { stepOf } from "./words.js";

/**
 * @typedef {import("../headrace/types.d.ts").Job} Job
 * @typedef {import("../headrace/types.d.ts").Moment} Moment
 *
 * @typedef {object} Entry
 * @property {string} title
 * @property {string} note
 * @property {"" | "error" | "warn" | "quiet" | "now"} tone
 *
 * @typedef {{at: string | null, took: number | null}} Uploaded
 */

/**
 * A job's life in a few lines: uploaded, queued, each attempt, how it ended. Pure.
 *
 * @param {Job} job
 * @param {Uploaded} uploaded
 * @param {Array<{text: string, at: string, attempt: number}>} steps as they were seen
 * @returns {Entry[]}
 */
export function entriesOf(job, uploaded, steps) {
  const size = job.size === null ? "" : `, ${bytes(job.size)}`;
  const took = uploaded.took === null ? "" : duration(uploaded.took);
  /** @type {Entry[]} */
  const entries = [{ title: `Uploaded${size}`, note: joined(clock(uploaded.at), took), tone: "" }];
  const moments = job.moments.length > 0 ? job.moments : made(job);
  moments.forEach((moment, index) => {
    const entry = entryOf(moment, moments.slice(index + 1), job);
    if (entry) entries.push(entry);
    if (moment.event === "started") entries.push(...stepsOf(steps, moment.attempt));
  });
  const last = entries[entries.length - 1];
  if (job.state === "queued" || job.state === "running") last.tone = "now";
  return entries;
}

/**
 * Where the events are not there (yet), what the job itself tells.
 *
 * @param {Job} job
 * @returns {Moment[]}
 */
function made(job) {
  /** @type {Array<[string, string | null]>} */
  const known = [["queued", job.createdAt], ["started", job.startedAt], [job.state, job.finishedAt]];
  const text = job.error?.message ?? "";
  return known.filter(([, at]) => at).map(([event, at]) => ({ event, at, attempt: job.attempt, text }));
}

/**
 * @param {Moment} moment
 * @param {Moment[]} later
 * @param {Job} job
 * @returns {Entry | null}
 */
function entryOf(moment, later, job) {
  const { event, at, attempt, text } = moment;
  switch (event) {
    case "queued": {
      const waited = between(at, later.find((one) => one.event === "started")?.at);
      return { title: "Queued", note: joined(clock(at), waited === null ? "" : `waited ${duration(waited)}`), tone: "" };
    }
    case "started":
      return { title: "Started", note: joined(clock(at), attempt ? `attempt ${attempt}` : ""), tone: "" };
    case "retrying":
      return { title: "Tried again", note: joined(clock(at), text.replaceAll("_", " ")), tone: "warn" };
    case "succeeded":
    case "failed":
    case "cancelled":
      return ending(event, at, job);
    default:
      return null;
  }
}

/**
 * @param {"succeeded" | "failed" | "cancelled"} event
 * @param {string | null} at
 * @param {Job} job
 * @returns {Entry}
 */
function ending(event, at, job) {
  const took = between(job.startedAt, at);
  const note = joined(clock(at), took === null ? "" : `after ${duration(took)}`);
  if (event === "succeeded") {
    const n = job.artifacts.length;
    return { title: "Done", note: joined(note, n > 0 ? count(n, "file") : ""), tone: "" };
  }
  if (event === "cancelled") return { title: "Cancelled", note, tone: "quiet" };
  const step = stepOf(job.progress);
  return { title: step ? `Failed at ${step}` : "Failed", note, tone: "error" };
}

/**
 * @param {Array<{text: string, at: string, attempt: number}>} steps
 * @param {number} attempt
 * @returns {Entry[]}
 */
function stepsOf(steps, attempt) {
  const own = steps.filter((step) => step.attempt === attempt).slice(-8);
  return own.map(({ text, at }) => ({ title: text, note: joined(clock(at), `attempt ${attempt}`), tone: "" }));
}

/** @param {...string} parts */
const joined = (...parts) => parts.filter(Boolean).join(" · ");

/**
 * @param {Entry[]} entries
 * @returns {Node[]}
 */
export function drawTimeline(entries) {
  return entries.map(({ title, note, tone }) => h("li", { class: tone }, title, note ? h("small", {}, note) : null));
}
