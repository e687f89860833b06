// @ts-check
import { Emitter } from "./emitter.js";
import { pack } from "./frames.js";
import { SendWindow } from "./window.js";

/**
 * @typedef {import("./types.d.ts").Message} Message
 * @typedef {import("./types.d.ts").UploadOptions} UploadOptions
 * @typedef {import("./types.d.ts").UploadState} UploadState
 * @typedef {import("./connection.js").Connection} Connection
 */

const SMALLEST = 64 * 1024;
const FIRST = 256 * 1024;
/** A frame should take about this long, so that progress and cancelling are quick on a slow line, in seconds. */
const FRAME_TIME = 0.1;
const LIVE = new Set(["opening", "sending", "finishing"]);
const ENDED = new Set(["stored", "failed", "aborted"]);
const LATER = new Set(["rate_limited", "storage_full", "busy"]);

/**
 * One file on its way. Events: `change` (any of its fields), `opened`, `stored`, `failed`, `aborted`.
 *
 * It reads the file frame by frame, never runs past the server's edge, and keeps at most a few frames in memory. After a
 * dropped connection it goes on from the offset the server has.
 */
export class Upload extends Emitter {
  /** @type {UploadState} */
  state = "waiting";
  /** @type {string | null} the upload's id on the server, once opened */
  id = null;
  /** @type {string | null} the capability for it */
  token = null;
  /** @type {string | null} */
  job = null;
  /** @type {{code: string, message: string, retryable: boolean} | null} why it failed */
  error = null;
  /** Why the server let go of it for now: taken_over, busy, storage_full, draining, rate_limited; else empty. */
  detached = "";
  /** Epoch milliseconds at which it tries again by itself, or 0. */
  retryAt = 0;

  #connection;
  #options;
  #window;
  #ref = 0;
  /** The server has answered `opened` for #ref. */
  #ready = false;
  #pumping = false;
  #again = false;
  #aborting = false;
  #chunk = FIRST;
  #mark = { at: 0, offset: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poll;
  /** @type {Array<() => void>} */
  #offs = [];

  /**
   * @param {Connection} connection
   * @param {File} file
   * @param {UploadOptions} [options]
   */
  constructor(connection, file, options = {}) {
    super();
    this.file = file;
    this.#connection = connection;
    this.#options = options;
    this.#window = new SendWindow(file.size);
    this.id = options.upload ?? null;
    this.token = options.token ?? null;
  }

  /** Every byte below is stored on the server. */
  get offset() {
    return this.#window.acked;
  }

  /** True once nothing more will happen. */
  get ended() {
    return ENDED.has(this.state);
  }

  /** True while it is under way, connected or not: it takes a place in the queue. */
  get active() {
    return LIVE.has(this.state) || this.state === "offline";
  }

  /** True from `abort` on, though the server may not know yet. */
  get aborting() {
    return this.#aborting;
  }

  /** Begin, or go on after `pause`. */
  start() {
    if (this.ended || this.#aborting || LIVE.has(this.state)) return;
    this.#listen();
    this.#open();
  }

  /** Stop sending. The server keeps what it has; `start` goes on. */
  pause() {
    if (this.ended || this.#aborting || this.state === "finishing") return;
    clearTimeout(this.#timer);
    this.retryAt = 0;
    this.#become("paused");
  }

  /** Give the file up; the server forgets what it has. */
  abort() {
    if (this.ended) return;
    this.#aborting = true;
    if (this.#ready) this.#say("upload.abort");
    if (this.#ready || (!this.id && !this.#ref)) {
      this.#end("aborted");
      return;
    }
    this.#listen();
    this.#become("offline");
    if (!this.#ref) this.#open();
  }

  #listen() {
    if (this.#offs.length > 0) return;
    this.#offs = [
      this.#connection.on("open", () => this.state === "offline" && !this.retryAt && this.#open()),
      this.#connection.on("down", () => this.#lost()),
      // An ack of any upload: the network has taken something, there may be room for more.
      this.#connection.on("upload.ack", () => this.#pump()),
    ];
  }

  /** Open it, or go on with it, on the connection as it is now. */
  #open() {
    clearTimeout(this.#timer);
    this.retryAt = 0;
    this.detached = "";
    if (this.#ref) return this.#ready ? this.#continue() : this.#become("opening");
    if (this.#connection.state !== "open") return this.#become("offline");
    this.#ref = this.#connection.ref();
    this.#connection.route(this.#ref, (message) => this.#receive(message));
    const checksum = this.#options.checksum;
    if (this.id) this.#say("upload.resume", { upload: this.id, token: this.token ?? undefined, checksum });
    else this.#say("upload.open", { ...this.#description(), checksum });
    if (!this.#aborting) this.#become("opening");
    return undefined;
  }

  #continue() {
    this.#become("sending");
    this.#pump();
  }

  #description() {
    const { processor, params, key, sha256 } = this.#options;
    const { name, size, type, lastModified } = this.file;
    const modified = lastModified ? new Date(lastModified).toISOString() : undefined;
    return { name, size, content_type: type || undefined, modified, processor, params, key, sha256 };
  }

  /** @param {Message} message */
  #receive(message) {
    switch (message.type) {
      case "upload.opened":
        return this.#opened(message);
      case "upload.ack":
        return this.#acked(message);
      case "upload.stored":
        this.#window.ack(message.size, 0);
        this.job = message.job ?? this.job;
        this.id = message.upload;
        return this.#end("stored");
      case "upload.aborted":
        return this.#end("aborted");
      case "upload.detached":
        return this.#detach(message.reason, message.retry_after_seconds);
      case "error":
        return this.#refused(message);
      default:
        return undefined;
    }
  }

  /** @param {Message} message */
  #opened(message) {
    this.id = message.upload;
    this.token = message.token ?? this.token;
    this.job = message.job ?? this.job;
    this.#ready = true;
    if (this.#aborting) return this.#say("upload.abort");
    this.#window.opened(message.offset, message.window);
    this.#mark = { at: performance.now(), offset: message.offset };
    this.emit("opened", message);
    if (this.state !== "opening") return undefined;
    return this.#continue();
  }

  /** @param {Message} message */
  #acked(message) {
    this.#window.ack(message.offset, message.window);
    this.#fit();
    this.emit("change");
  }

  /** Choose the frame's size by the speed since the last ack. */
  #fit() {
    const now = performance.now();
    const seconds = (now - this.#mark.at) / 1000;
    if (seconds < 0.05) return;
    const speed = (this.offset - this.#mark.offset) / seconds;
    const most = this.#connection.welcome?.limits.chunk_bytes ?? FIRST;
    this.#chunk = Math.min(most, Math.max(SMALLEST, Math.round((this.#chunk + speed * FRAME_TIME) / 2)));
    this.#mark = { at: now, offset: this.offset };
  }

  /** Send what the window and the network take; then, at the end of the file, say so. One at a time. */
  async #pump() {
    if (this.#pumping) this.#again = true;
    if (this.#pumping || this.state !== "sending") return;
    this.#pumping = true;
    try {
      do {
        this.#again = false;
        while (await this.#sendOne());
      } while (this.#again);
    } catch (error) {
      this.#unreadable(error);
    } finally {
      this.#pumping = false;
    }
    if (this.state !== "sending") return;
    if (this.#window.done) this.#finish();
    else this.#pumpLater();
  }

  /** Acks drive the pump, even in a hidden tab, where timers are slow; the timer is for a network that is faster than acks. */
  #pumpLater() {
    clearTimeout(this.#poll);
    if (this.#connection.buffered > 0) this.#poll = setTimeout(() => this.#pump(), 10);
  }

  /** @returns {Promise<boolean>} whether there may be more to send at once */
  async #sendOne() {
    const most = this.#connection.welcome?.limits.chunk_bytes ?? FIRST;
    const length = this.#window.next(Math.min(this.#chunk, most));
    if (this.state !== "sending" || length === 0 || this.#connection.buffered > 2 * this.#chunk) return false;
    const ref = this.#ref;
    const at = this.#window.sent;
    const payload = await this.file.slice(at, at + length).arrayBuffer();
    if (this.#ref !== ref || this.#window.sent !== at || this.state !== "sending") return true;
    if (payload.byteLength !== length) throw new Error("The file is shorter than it was.");
    this.#window.sent = at + length;
    return this.#connection.sendData(pack(ref, at, payload, this.#options.checksum === "crc32"));
  }

  #finish() {
    this.#become("finishing");
    this.#say("upload.finish", { sha256: this.#options.sha256 });
  }

  /** @param {Message} error */
  #refused(error) {
    const expected = /** @type {number | undefined} */ (error.expected);
    if (!error.ended && expected !== undefined) {
      this.#window.rewind(expected);
      return this.state === "paused" ? undefined : this.#continue();
    }
    if (LATER.has(error.code)) return this.#detach(error.code, error.retry_after_seconds);
    if (this.#aborting) return this.#end("aborted");
    if (!error.ended) this.#say("upload.abort");
    return this.#fail(error.code, error.message, Boolean(error.retryable));
  }

  /**
   * The server let go of the upload and keeps what it has.
   *
   * @param {string} reason
   * @param {number} [seconds]
   */
  #detach(reason, seconds = 5) {
    this.#forget();
    this.detached = reason;
    if (this.state === "paused") return undefined;
    if (reason === "taken_over") return this.#become("paused");
    this.retryAt = Date.now() + seconds * 1000;
    this.#timer = setTimeout(() => this.#open(), seconds * 1000);
    return this.#become("offline");
  }

  /** The connection is away. */
  #lost() {
    this.#forget();
    if (LIVE.has(this.state)) this.#become("offline");
  }

  /** @param {unknown} error */
  #unreadable(error) {
    this.#say("upload.abort");
    const reason = error instanceof Error ? error.message : String(error);
    this.#fail("unreadable", `The file cannot be read any more; it was moved, changed or removed. (${reason})`, false);
  }

  /**
   * @param {string} code
   * @param {string} message
   * @param {boolean} retryable
   */
  #fail(code, message, retryable) {
    this.error = { code, message, retryable };
    this.#end("failed");
  }

  /** @param {"stored" | "failed" | "aborted"} state */
  #end(state) {
    this.#forget();
    clearTimeout(this.#timer);
    clearTimeout(this.#poll);
    for (const off of this.#offs.splice(0)) off();
    this.#become(state);
    this.emit(state, this);
  }

  #forget() {
    if (this.#ref) this.#connection.unroute(this.#ref);
    this.#ref = 0;
    this.#ready = false;
  }

  /**
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   */
  #say(type, fields = {}) {
    this.#connection.send({ type, ref: this.#ref, ...fields });
  }

  /** @param {UploadState} state */
  #become(state) {
    this.state = state;
    this.emit("change");
  }
}
