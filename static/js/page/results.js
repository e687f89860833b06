// @ts-check
import { isFinal } from "../headrace/job.js";
import { drawArtifacts } from "./artifacts.js";
import { h, setText } from "./dom.js";
import { count, safeName } from "./format.js";
import { isPicture } from "./thumbnail.js";
import { rowCount } from "./shape.js";
import { drawValue } from "./value.js";

/**
 * @typedef {import("../headrace/types.d.ts").Job} Job
 * @typedef {import("./item.js").Item} Item
 */

const MOST = 6;
const SMALL = { rows: 6, columns: 3, quiet: true };
/** For a job that has no page of its own. */
const LARGE = { rows: 100, columns: 12 };
const WAIT = 250;

/** "Results so far": beside the list, growing while the files are still being processed. */
export class Results {
  /** @type {Map<Item, {element: HTMLElement, shown: unknown[]}>} newest last */
  #parts = new Map();
  /** @type {Set<Item>} */
  #dirty = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} place
   * @param {HTMLElement} none shown while there are none
   * @param {(any: boolean) => void} told whether there are any
   */
  constructor(place, none, told) {
    this.place = place;
    this.none = none;
    this.told = told;
  }

  /** @param {Item} item */
  touch(item) {
    if (!item.job || !hasSomething(item.job)) return;
    this.#dirty.add(item);
    this.#timer ??= setTimeout(() => this.#draw(), WAIT);
  }

  /** @param {Item} item */
  remove(item) {
    this.#dirty.delete(item);
    this.#parts.get(item)?.element.remove();
    this.#parts.delete(item);
    this.#tell();
  }

  #tell() {
    this.none.hidden = this.#parts.size > 0;
    this.told(this.#parts.size > 0);
  }

  #draw() {
    this.#timer = undefined;
    const last = [...this.#dirty].slice(-MOST);
    this.#dirty.clear();
    for (const item of last) this.#part(item);
    for (const item of [...this.#parts.keys()].slice(0, -MOST)) this.remove(item);
    this.#tell();
  }

  /** @param {Item} item */
  #part(item) {
    const job = /** @type {Job} */ (item.job);
    const part = this.#parts.get(item) ?? { element: h("section", { class: "result" }), shown: [] };
    if (!this.#parts.has(item)) this.place.prepend(part.element);
    this.#parts.set(item, part);
    const now = [job.id, job.state, job.partial, job.result, job.artifacts.length, item.page];
    const same = now.every((one, at) => one === part.shown[at]);
    if (!same) part.element.replaceChildren(...drawPart(item, job));
    part.shown = now;
    const caption = part.element.querySelector(".caption");
    if (caption) setText(caption, captionOf(job, item.page ? SMALL.rows : LARGE.rows));
  }
}

/** @param {Job} job */
function hasSomething(job) {
  return job.partial !== undefined || (isFinal(job) && ((job.result ?? null) !== null || job.artifacts.length > 0));
}

/** @param {Job} job */
const best = (job) => (job.state === "succeeded" && (job.result ?? null) !== null ? job.result : job.partial);

/**
 * @param {Item} item
 * @param {Job} job
 * @returns {Node[]}
 */
function drawPart(item, job) {
  const name = safeName(item.name);
  const value = best(job);
  const pictures = job.artifacts.filter((one) => isPicture(one.content_type)).slice(0, item.page ? 1 : 12);
  const others = job.artifacts.filter((one) => !isPicture(one.content_type)).slice(0, item.page ? 3 : 100);
  const room = { ...(item.page ? SMALL : LARGE), label: `Results of ${name}` };
  const title = item.page ? h("a", { href: item.page }, h("bdi", {}, name)) : h("bdi", {}, name);
  return [
    h("h3", { title: name }, title),
    ...drawArtifacts(pictures, item.name, item.token),
    value !== undefined && value !== null ? drawValue(item.page ? shorter(value) : value, room) : "",
    ...drawArtifacts(others, "", item.token),
    h("p", { class: "caption" }),
  ].filter((node) => node instanceof Node);
}

/** A column of 320 px shows the first few facts; all of it is on the job's page. @param {unknown} value */
function shorter(value) {
  if (typeof value === "string") return value.length > 600 ? `${value.slice(0, 600)}…` : value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null).slice(0, 8));
}

/**
 * "first 6 of 2,812 rows, still growing"
 *
 * @param {Job} job
 * @param {number} most rows shown
 */
function captionOf(job, most) {
  const rows = rowCount(best(job));
  const shown = rows !== null && rows > most ? `first ${most} of ${count(rows, "row")}` : "";
  const state = job.state === "running" ? "still growing" : job.state === "failed" ? "kept from before it failed" : "";
  return [shown, state].filter(Boolean).join(", ");
}
