// @ts-check
import { Row } from "./row.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./words.js").Phase} Phase
 */

export const WINDOW = 50;

/** @type {Record<Phase, number>} what needs somebody first, then what moves, then what waits, then what is over */
const RANK = {
  "upload-failed": 0,
  "processing-failed": 0,
  choose: 1,
  uploading: 2,
  processing: 2,
  offline: 2,
  held: 2,
  away: 2,
  paused: 3,
  elsewhere: 3,
  queued: 4,
  waiting: 5,
  done: 6,
  cancelled: 7,
};

/**
 * Which items to show: all in their order where they fit, else failures first.
 *
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Phase} phaseOf
 * @param {number} limit
 * @returns {T[]}
 */
export function windowOf(items, phaseOf, limit) {
  if (items.length <= WINDOW) return items;
  const ranked = items.map((item, at) => ({ item, at, rank: RANK[phaseOf(item)] }));
  ranked.sort((a, b) => a.rank - b.rank || a.at - b.at);
  return ranked.slice(0, limit).map(({ item }) => item);
}

/** The rows on the page: a window of the store's items, drawn at most once a frame, and a few rows of it at a time. */
export class FileList {
  limit = WINDOW;
  /** @type {Map<Item, Row>} */
  #rows = new Map();
  /** @type {Set<Item>} */
  #dirty = new Set();
  #shown = /** @type {Item[]} */ ([]);
  #ordered = 0;
  #reorder = true;
  #frame = 0;

  /**
   * @param {HTMLElement} element the `<ul>`
   * @param {Store} store
   * @param {() => void} drawn called after each drawing
   */
  constructor(element, store, drawn) {
    this.element = element;
    this.#store = store;
    this.#drawn = drawn;
    store.on("added", () => this.#disorder());
    store.on("removed", () => this.#disorder());
    store.on("change", (item) => this.touch(item));
    // Speeds, times left and the seconds until the next try move though nothing has happened.
    setInterval(() => this.#tick(), 1000);
  }

  #store;
  #drawn;

  /** @param {Item} item */
  touch(item) {
    this.#dirty.add(item);
    this.#schedule();
  }

  more() {
    this.limit += WINDOW;
    this.#disorder();
  }

  get hidden() {
    return this.#store.items.length - this.#shown.length;
  }

  #disorder() {
    this.#reorder = true;
    this.#ordered = 0;
    this.#schedule();
  }

  #tick() {
    const { connection } = this.#store;
    for (const item of this.#shown) {
      const phase = item.phase(connection);
      if (RANK[phase] === 2) item.measure(Date.now() / 1000);
      if (RANK[phase] === 2) this.touch(item);
    }
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const now = Date.now();
    // Beyond one window the order follows the states, so look again now and then.
    if (this.#reorder || (this.#store.items.length > WINDOW && now - this.#ordered > 1000)) this.#arrange(now);
    const deadline = performance.now() + 12;
    for (const item of this.#dirty) {
      this.#dirty.delete(item);
      this.#rows.get(item)?.update(now);
      if (performance.now() > deadline) break;
    }
    if (this.#dirty.size > 0) this.#schedule();
    this.#drawn();
  }

  /** Put the right rows in the right order, moving only what stands wrong. @param {number} now */
  #arrange(now) {
    this.#reorder = false;
    this.#ordered = now;
    const { items, connection } = this.#store;
    this.#shown = windowOf(items, (item) => item.phase(connection), this.limit);
    const wanted = new Set(this.#shown);
    for (const [item, row] of this.#rows) {
      if (wanted.has(item)) continue;
      row.element.remove();
      this.#rows.delete(item);
    }
    let at = this.element.firstElementChild;
    for (const item of this.#shown) {
      const row = this.#rows.get(item) ?? this.#make(item);
      if (row.element === at) at = at.nextElementSibling;
      else this.element.insertBefore(row.element, at);
    }
  }

  /** @param {Item} item */
  #make(item) {
    const row = new Row(this.#store, item);
    this.#rows.set(item, row);
    this.#dirty.add(item);
    return row;
  }
}
