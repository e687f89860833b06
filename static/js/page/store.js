// @ts-check
import { Emitter } from "../headrace/emitter.js";
import { isFinal } from "../headrace/job.js";
import { Jobs } from "../headrace/jobs.js";
import { UploadQueue } from "../headrace/queue.js";
import { Upload } from "../headrace/upload.js";
import { bytes } from "./format.js";
import { Item } from "./item.js";
import * as memory from "./memory.js";

/**
 * @typedef {import("../headrace/connection.js").Connection} Connection
 * @typedef {import("../headrace/types.d.ts").Job} Job
 * @typedef {import("../headrace/types.d.ts").Message} Message
 * @typedef {import("./item.js").Unfinished} Unfinished
 */

/** So many files are begun before the page may breathe. */
const AT_ONCE = 25;

/** The list of files and what can be done with them. Events: `added` (items), `removed` (item), `change` (item). */
export class Store extends Emitter {
  /** @type {Item[]} newest addition first */
  items = [];
  queue = new UploadQueue(3);
  /** @type {Map<string, Item>} by the id of its job */
  #byJob = new Map();
  /** @type {WeakMap<Upload, Item>} */
  #byUpload = new WeakMap();
  #placing = false;
  /** @type {(() => void) | null} */
  #askFor = null;
  /** @type {Item | null} the row whose button asked for its file */
  wanted = null;

  /**
   * @param {Connection} connection
   * @param {boolean} keepsTokens nobody owns what this page uploads: the tokens are all that opens it later
   */
  constructor(connection, keepsTokens) {
    super();
    this.connection = connection;
    this.keepsTokens = keepsTokens;
    this.jobs = new Jobs(connection);
    this.jobs.on("change", (job) => this.#jobChanged(job));
    this.queue.on("change", () => this.#placesSoon());
    connection.on("state", () => this.#all());
  }

  /**
   * Take chosen files in, at most one row each: the file of an unfinished upload goes on with that one.
   *
   * @param {File[]} files
   * @param {{processor?: string, params?: Record<string, unknown>}} choice
   */
  async add(files, choice) {
    if (this.wanted && files.length === 1 && this.#continueWanted(files[0])) return;
    this.wanted = null;
    const fresh = files.filter((file) => !this.#continue(file)).map((file) => this.#make(file, choice));
    this.items = [...fresh, ...this.items];
    this.emit("added", fresh);
    for (const [at, item] of fresh.entries()) {
      if (at % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve));
      if (this.items.includes(item)) this.#begin(item);
    }
  }

  /**
   * Take in what the server or the browser remembers.
   *
   * @param {Item[]} items newest first
   */
  restore(items) {
    this.items.push(...items);
    for (const item of items) if (item.job) this.#byJob.set(item.job.id, item);
    this.emit("added", items);
  }

  /** @param {Item} item */
  pause(item) {
    if (item.upload) this.queue.pause(item.upload);
    this.#changed(item);
  }

  /** @param {Item} item */
  resume(item) {
    if (item.upload) this.queue.add(item.upload, true);
    this.#changed(item);
  }

  /** @param {Item} item */
  cancel(item) {
    if (item.unfinished && !item.upload) this.#giveUp(item, item.unfinished);
    else if (item.upload && !item.upload.ended) item.upload.abort();
    else if (item.job) this.jobs.cancel(item.job.id);
    this.#changed(item);
  }

  /**
   * Tell the server to forget an upload of which this page has no file.
   *
   * @param {Item} item
   * @param {Unfinished} unfinished
   */
  #giveUp(item, unfinished) {
    const options = { upload: unfinished.upload, token: unfinished.token ?? undefined };
    this.#attach(item, new Upload(this.connection, new File([], item.name), options));
    item.upload?.abort();
    memory.forget(unfinished.upload);
  }

  /** @param {Item} item */
  async retry(item) {
    if (!item.job) return;
    item.note = "";
    try {
      const job = await this.jobs.retry(item.job.id);
      this.#byJob.delete(item.job.id);
      item.job = job;
      item.showsLog = false;
      this.#byJob.set(job.id, item);
      this.#remember(item);
    } catch (error) {
      item.note = error instanceof Error ? error.message : String(error);
    }
    this.#changed(item);
  }

  /** @param {Item} item */
  uploadAgain(item) {
    if (!item.file) return;
    item.upload = null;
    this.#begin(item);
    this.#changed(item);
  }

  /** @param {Item} item */
  toggleLog(item) {
    item.showsLog = !item.showsLog;
    if (item.showsLog && item.job) this.jobs.follow(item.job.id, { history: true });
    this.#changed(item);
  }

  /** @param {Item} item */
  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    if (item.job) this.#byJob.delete(item.job.id);
    if (item.upload?.id) memory.forget(item.upload.id);
    this.emit("removed", item);
  }

  /** What can be taken off the list. */
  get finished() {
    return this.items.filter((item) => (item.job ? isFinal(item.job) : (item.upload?.ended ?? Boolean(item.refused))));
  }

  /** @param {() => void} ask opens the browser's file chooser */
  onChoose(ask) {
    this.#askFor = ask;
  }

  /** @param {Item} item */
  chooseAgain(item) {
    this.wanted = item;
    this.#askFor?.();
  }

  /**
   * @param {File} file
   * @param {Item["choice"]} choice
   */
  #make(file, choice) {
    const item = new Item(file.name, file.size, file.type);
    item.file = file;
    item.choice = choice;
    return item;
  }

  /** @param {Item} item */
  #begin(item) {
    const file = /** @type {File} */ (item.file);
    const most = this.connection.welcome?.limits.upload_bytes;
    if (most !== undefined && file.size > most) {
      item.refused = { code: "too_large", message: `This file has ${bytes(file.size)}; at most ${bytes(most)} are allowed.` };
      this.#changed(item);
      return;
    }
    this.#attach(item, new Upload(this.connection, file, { ...item.choice, key: crypto.randomUUID?.() }));
    this.queue.add(/** @type {Upload} */ (item.upload));
  }

  /**
   * @param {Item} item
   * @param {Upload} upload
   */
  #attach(item, upload) {
    item.upload = upload;
    this.#byUpload.set(upload, item);
    upload.on("change", () => this.#changed(item));
    upload.on("opened", () => this.#uploadOpened(item, upload));
    upload.on("stored", () => this.#uploadStored(item, upload));
    upload.on("aborted", () => upload.id && memory.forget(upload.id));
    upload.on("failed", () => upload.id && memory.forget(upload.id));
  }

  /**
   * @param {Item} item
   * @param {Upload} upload
   */
  #uploadOpened(item, upload) {
    item.token = this.keepsTokens ? upload.token : null;
    if (upload.id) memory.claim(upload.id);
    if (upload.job) this.#follow(item, upload.job);
    this.#remember(item);
  }

  /**
   * @param {Item} item
   * @param {Upload} upload
   */
  #uploadStored(item, upload) {
    if (upload.id) memory.release(upload.id);
    if (upload.job) this.#follow(item, upload.job);
    this.#remember(item);
    this.#changed(item);
  }

  /**
   * @param {Item} item
   * @param {string} id
   */
  #follow(item, id) {
    this.#byJob.set(id, item);
    item.job = this.jobs.follow(id, { token: item.token, subscribed: true });
    item.job.name ||= item.name;
    item.job.size ??= item.size;
  }

  /** @param {Item} item */
  #remember(item) {
    const { upload, job, token } = item;
    const id = upload?.id ?? job?.upload;
    if (!this.keepsTokens || !id || !token) return;
    const { name, size, file } = item;
    const modified = file?.lastModified ?? null;
    memory.remember({ upload: id, token, job: job?.id ?? null, name, size, offset: upload?.offset ?? 0, modified });
  }

  /** @param {File} file */
  #continue(file) {
    const item = this.items.find((one) => one.unfinished && !one.upload && isSame(file, one.unfinished));
    if (item) this.#resume(item, file);
    return Boolean(item);
  }

  /** @param {File} file */
  #continueWanted(file) {
    const item = /** @type {Item} */ (this.wanted);
    this.wanted = null;
    if (!item.unfinished || item.upload) return false;
    if (isSame(file, item.unfinished)) {
      this.#resume(item, file);
    } else {
      item.note = `This is another file: it differs in ${difference(file, item.unfinished)}.`;
      this.#changed(item);
    }
    return true;
  }

  /**
   * @param {Item} item
   * @param {File} file
   */
  #resume(item, file) {
    const { upload, token } = /** @type {Unfinished} */ (item.unfinished);
    item.file = file;
    item.type = file.type;
    item.note = "";
    this.#attach(item, new Upload(this.connection, file, { upload, token: token ?? undefined }));
    this.queue.add(/** @type {Upload} */ (item.upload), true);
    this.#changed(item);
  }

  /** @param {Job} job */
  #jobChanged(job) {
    const item = this.#byJob.get(job.id);
    if (!item) return;
    item.size ??= job.size;
    this.#changed(item);
  }

  /** @param {Item} item */
  #changed(item) {
    item.measure(Date.now() / 1000);
    if (this.keepsTokens && item.upload?.state === "sending") memory.noteOffset(item.upload.id, item.upload.offset);
    this.emit("change", item);
  }

  /** Everybody's place in line, once for all the moves of a moment. */
  #placesSoon() {
    if (this.#placing) return;
    this.#placing = true;
    queueMicrotask(() => this.#places());
  }

  #places() {
    this.#placing = false;
    const places = new Map(this.queue.waiting.map((upload, index) => [this.#byUpload.get(upload), index + 1]));
    for (const item of this.items) {
      const place = places.get(item) ?? 0;
      if (place === item.place) continue;
      item.place = place;
      this.emit("change", item);
    }
  }

  #all() {
    for (const item of this.items) this.emit("change", item);
  }
}

/**
 * @param {File} file
 * @param {Unfinished} unfinished
 */
function isSame(file, unfinished) {
  return difference(file, unfinished) === "";
}

/**
 * What tells a chosen file from the one that was begun; empty where nothing does.
 *
 * @param {{name: string, size: number, lastModified: number}} file
 * @param {Unfinished} unfinished
 */
export function difference(file, unfinished) {
  const { name, size, modified } = unfinished;
  if (file.name !== name) return "its name";
  if (size !== null && file.size !== size) return `its size (${bytes(file.size)}, not ${bytes(size)})`;
  if (modified !== null && Math.abs(file.lastModified - modified) >= 2000) return "the time it was last changed";
  return "";
}
