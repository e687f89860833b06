// @ts-check
import { isFinal } from "../headrace/job.js";
import { between } from "./format.js";
import { Rate } from "./rate.js";

/**
 * @typedef {import("../headrace/types.d.ts").Job} Job
 * @typedef {import("../headrace/types.d.ts").ProcessorInfo} ProcessorInfo
 * @typedef {import("../headrace/upload.js").Upload} Upload
 * @typedef {import("../headrace/connection.js").Connection} Connection
 * @typedef {import("./words.js").Phase} Phase
 * @typedef {import("./words.js").View} View
 *
 * @typedef {object} Unfinished an upload that needs its file again
 * @property {string} upload
 * @property {string | null} token
 * @property {string} name
 * @property {number | null} size
 * @property {number} offset
 * @property {number | null} modified epoch milliseconds
 */

let made = 0;

/** One row of the list: a file of this page, a job of the server's, or both, one after the other. */
export class Item {
  key = `item-${(made += 1)}`;
  /** @type {File | null} */
  file = null;
  /** @type {Upload | null} */
  upload = null;
  /** @type {Job | null} */
  job = null;
  /** @type {Unfinished | null} */
  unfinished = null;
  /** @type {{code: string, message: string} | null} refused before anything was sent */
  refused = null;
  /** What became of the last thing that was asked for, where it went wrong. */
  note = "";
  /** @type {{processor?: string, params?: Record<string, unknown>}} */
  choice = {};
  /** @type {string | null} */
  token = null;
  showsLog = false;
  place = 0;
  sending = new Rate();
  working = new Rate();

  /**
   * @param {string} name
   * @param {number | null} size
   * @param {string} [type]
   */
  constructor(name, size, type = "") {
    this.name = name;
    this.size = size;
    this.type = type;
  }

  /**
   * @param {Connection} connection
   * @returns {Phase}
   */
  phase(connection) {
    if (this.refused) return "upload-failed";
    if (this.upload && !(this.upload.state === "stored" && this.job)) return this.#sendingPhase(this.upload, connection);
    if (this.job) return this.#jobPhase(this.job, connection);
    return this.unfinished ? "choose" : "waiting";
  }

  /**
   * @param {Upload} upload
   * @param {Connection} connection
   * @returns {Phase}
   */
  #sendingPhase(upload, connection) {
    if (upload.aborting || upload.state === "aborted") return "cancelled";
    switch (upload.state) {
      case "waiting":
        return "waiting";
      case "paused":
        if (this.place) return "waiting";
        return upload.detached === "taken_over" ? "elsewhere" : "paused";
      case "offline":
        return upload.retryAt && connection.state === "open" ? "held" : "offline";
      case "stored":
        return "done";
      case "failed":
        return "upload-failed";
      default:
        return "uploading";
    }
  }

  /**
   * @param {Job} job
   * @param {Connection} connection
   * @returns {Phase}
   */
  #jobPhase(job, connection) {
    if (job.state === "succeeded") return "done";
    if (job.state === "failed") return "processing-failed";
    if (job.state === "cancelled") return "cancelled";
    if (connection.state === "waiting" || connection.state === "closed") return "away";
    return job.state === "running" ? "processing" : "queued";
  }

  /**
   * Note how far it has come, for speed and time left.
   *
   * @param {number} now seconds
   */
  measure(now) {
    if (this.upload?.state === "sending") this.sending.add(now, this.upload.offset);
    else this.sending.reset();
    const progress = this.job?.state === "running" ? this.job.progress : null;
    if (progress) this.working.add(now, progress.done);
    else this.working.reset();
  }

  /**
   * @param {Connection} connection
   * @param {number} now epoch milliseconds
   * @returns {View}
   */
  view(connection, now) {
    const phase = this.phase(connection);
    const { upload, job } = this;
    const seconds = now / 1000;
    const sending = phase === "uploading" && this.size !== null;
    const retryAt = phase === "held" ? (upload?.retryAt ?? 0) : connection.state === "waiting" ? connection.retryAt : 0;
    return {
      phase,
      size: this.size,
      sent: upload ? upload.offset : (this.unfinished?.offset ?? 0),
      place: this.place,
      ahead: job?.ahead,
      speed: sending ? this.sending.speed(seconds) : null,
      left: sending ? this.sending.left(seconds, this.size ?? 0) : this.#workLeft(seconds),
      retryIn: retryAt ? Math.max(0, (retryAt - now) / 1000) : null,
      held: upload?.detached,
      sealing: upload?.state === "finishing" && upload.offset >= upload.file.size,
      stopping: job?.cancelRequested,
      progress: job?.progress,
      took: between(job?.startedAt, job?.finishedAt),
      results: job ? resultCount(job) : 0,
    };
  }

  /** @param {number} seconds */
  #workLeft(seconds) {
    const total = this.job?.progress?.total;
    return this.job?.state === "running" && total ? this.working.left(seconds, total) : null;
  }

  /** Where its job has a page of its own: nobody's job has none. */
  get page() {
    return this.job && !this.token ? `/jobs/${this.job.id}/` : "";
  }
}

/** @param {Job} job */
export function resultCount(job) {
  if (!isFinal(job)) return 0;
  const own = (job.result !== null && job.result !== undefined) || job.resultUrl ? 1 : 0;
  return own + job.artifacts.length;
}
