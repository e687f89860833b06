// @ts-check
import { Emitter } from "./emitter.js";

/** @typedef {import("./upload.js").Upload} Upload */

/** Uploads one after another, at most `limit` at a time. Event: `change`, when somebody's place may have moved. */
export class UploadQueue extends Emitter {
  /** @type {Upload[]} */
  #waiting = [];
  /** @type {Set<Upload>} */
  #active = new Set();
  /** @type {WeakSet<Upload>} */
  #known = new WeakSet();
  #settling = false;

  /** @param {number} [limit] */
  constructor(limit = 3) {
    super();
    this.limit = limit;
  }

  /**
   * Start it when its turn comes.
   *
   * @param {Upload} upload
   * @param {boolean} [first] before those that wait: what was begun goes on first
   */
  add(upload, first = false) {
    if (upload.ended || this.#active.has(upload) || this.#waiting.includes(upload)) return;
    if (first) this.#waiting.unshift(upload);
    else this.#waiting.push(upload);
    if (!this.#known.has(upload)) upload.on("change", () => this.#check(upload));
    this.#known.add(upload);
    this.#settle();
  }

  /**
   * Stop it, or take it out of the line; its place goes to the next.
   *
   * @param {Upload} upload
   */
  pause(upload) {
    this.#waiting = this.#waiting.filter((other) => other !== upload);
    upload.pause();
    this.#check(upload);
  }

  /** Those that wait, the next to start first. */
  get waiting() {
    return [...this.#waiting];
  }

  /** @param {Upload} upload */
  #check(upload) {
    if (upload.active && !upload.aborting) return;
    const left = this.#active.delete(upload);
    if (upload.ended || upload.aborting) this.#waiting = this.#waiting.filter((other) => other !== upload);
    if (left || upload.ended) this.#settle();
  }

  /** Fill the free places. `start` calls back in here, hence the guard. */
  #settle() {
    if (this.#settling) return;
    this.#settling = true;
    while (this.#active.size < this.limit && this.#waiting.length > 0) {
      const next = /** @type {Upload} */ (this.#waiting.shift());
      this.#active.add(next);
      next.start();
    }
    this.#settling = false;
    this.emit("change");
  }
}
