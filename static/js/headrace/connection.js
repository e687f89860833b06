// @ts-check
import { backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { read } from "./messages.js";

/**
 * @typedef {import("./types.d.ts").Message} Message
 * @typedef {import("./types.d.ts").Welcome} Welcome
 * @typedef {import("./types.d.ts").ConnectOptions} ConnectOptions
 */

const PROTOCOL = "headrace.v1";
/** After these nothing is gained by coming back with the same credentials. */
const REFUSED = new Set([4401, 4403]);
/** After these the client is at fault: come back, but slowly. */
const FAULT = new Set([1009, 4400, 4429]);
const STEADY = 5000;
const OPENING = 20_000;

/** @param {string} [url] */
function address(url) {
  const full = new URL(url ?? "/ws", globalThis.location?.href);
  full.protocol = full.protocol.replace("http", "ws");
  return full.href;
}

/**
 * One socket that comes back by itself. Events: `open` (welcome), `down` (close code), `state`, and every message by
 * its type. Messages with a `ref` go to whoever holds that ref (`route`) as well.
 */
export class Connection extends Emitter {
  /** @type {"connecting" | "open" | "waiting" | "closed"} */
  state = "connecting";
  /** @type {Welcome | null} what the server said last; kept while the connection is away */
  welcome = null;
  /** Epoch milliseconds of the next try, while `waiting`. */
  retryAt = 0;
  /** The code that ended it, once `closed`. */
  closeCode = 0;

  #options;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<number, (message: Message) => void>} */
  #routes = new Map();
  #ref = 0;
  #attempt = 0;
  #heard = 0;
  #openedAt = 0;
  #asked = 0;
  #askedAt = -1;
  #authed = false;
  /** @type {number | null} what `bye` asked for, in milliseconds */
  #after = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #beat;

  /** @param {ConnectOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = options;
    globalThis.addEventListener?.("online", () => this.retryNow());
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
  }

  /** Connect, if it is not connected. */
  open() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#authed = !this.#options.token;
    this.#become("connecting");
    const make = this.#options.socket ?? ((url, protocols) => new WebSocket(url, protocols));
    const socket = make(address(this.#options.url), [PROTOCOL]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#down(event.code);
    this.#heard = Date.now();
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#heartbeat(), 5000);
  }

  /** Close for good; `open` starts again. */
  close() {
    const socket = this.#socket;
    this.#down(1000);
    socket?.close(1000);
  }

  /** Do not wait any longer. */
  retryNow() {
    if (this.state === "waiting") this.open();
  }

  /** @returns {number} a number for a file on this socket, never given twice */
  ref() {
    this.#ref += 1;
    return this.#ref;
  }

  /**
   * Messages and errors about `ref` go to `receive`, until `unroute` or until the socket is gone.
   *
   * @param {number} ref
   * @param {(message: Message) => void} receive
   */
  route(ref, receive) {
    this.#routes.set(ref, receive);
  }

  /** @param {number} ref */
  unroute(ref) {
    this.#routes.delete(ref);
  }

  /**
   * @param {Message} message
   * @returns {boolean} false where it could not be sent, because the connection is away
   */
  send(message) {
    if (this.state !== "open" || !this.#socket) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /**
   * @param {ArrayBuffer} frame
   * @returns {boolean}
   */
  sendData(frame) {
    if (this.state !== "open" || !this.#socket) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Bytes handed to the browser that are not on the network yet. */
  get buffered() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heard = Date.now();
    if (typeof data !== "string") return;
    const message = read(data);
    if (!message) return;
    if (message.type === "ping") this.#socket?.send(JSON.stringify({ type: "pong", id: message.id }));
    else if (message.type === "welcome") this.#welcomed(/** @type {Welcome} */ (message));
    else if (message.type === "bye") this.#after = Math.max(0, Number(message.retry_after_seconds) || 0) * 1000;
    if (typeof message.ref === "number") this.#routes.get(message.ref)?.(message);
    this.emit(message.type, message);
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.welcome = welcome;
    if (!this.#authed) {
      this.#authed = true;
      this.#socket?.send(JSON.stringify({ type: "auth", token: this.#options.token }));
      return;
    }
    if (this.state === "open") return;
    this.#openedAt = Date.now();
    this.#become("open");
    this.emit("open", welcome);
  }

  /** Ask where it is quiet; a peer that answers nothing for two heartbeats is gone. */
  #heartbeat() {
    const quiet = Date.now() - this.#heard;
    const beat = this.state === "open" ? (this.welcome?.heartbeat_seconds ?? 20) * 1000 : OPENING / 2;
    if (quiet > 2 * beat) {
      const socket = this.#socket;
      this.#down(1006);
      socket?.close();
    } else if (quiet > beat && this.state === "open" && this.#askedAt < this.#heard) {
      this.#asked += 1;
      this.#askedAt = Date.now();
      this.send({ type: "ping", id: this.#asked });
    }
  }

  /** @param {number} code */
  #down(code) {
    const socket = this.#socket;
    if (!socket && this.state === "closed") return;
    if (socket) socket.onmessage = socket.onclose = null;
    this.#socket = null;
    this.#routes.clear();
    clearInterval(this.#beat);
    clearTimeout(this.#timer);
    this.closeCode = code;
    const steady = this.state === "open" && Date.now() - this.#openedAt > STEADY;
    if (code === 1000 || REFUSED.has(code)) {
      this.#become("closed");
    } else {
      this.#attempt = steady && !FAULT.has(code) ? 0 : this.#attempt + (FAULT.has(code) ? 3 : 1);
      const wait = Math.max(backoff(this.#attempt), this.#after ?? 0);
      this.#after = null;
      this.retryAt = Date.now() + wait;
      this.#timer = setTimeout(() => this.open(), wait);
      this.#become("waiting");
    }
    this.emit("down", code);
  }

  /** @param {Connection["state"]} state */
  #become(state) {
    this.state = state;
    this.emit("state", state);
  }
}

/**
 * Connect to a Headrace server.
 *
 * @param {ConnectOptions} [options]
 * @returns {Connection}
 */
export function connect(options = {}) {
  const connection = new Connection(options);
  connection.open();
  return connection;
}
