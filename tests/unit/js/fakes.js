/** A socket that a test holds in its hands, and a server on its other end that keeps the rules of docs/protocol.md. */
import { Connection } from "../../../static/js/headrace/connection.js";
import { parse } from "../../../static/js/headrace/frames.js";

export const LIMITS = { chunk_bytes: 1000, window_bytes: 4000, upload_bytes: 1e9, open_uploads: 10, subscriptions: 200 };

/** Let promises and timers of 0 ms run. */
export async function settle(turns = 20) {
  for (let n = 0; n < turns; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Time that stands still until a test moves it. node:test has one too, but without Date in the Node.js 18 of Debian 12. */
export class FakeClock {
  #real = { setTimeout, setInterval, clearTimeout, clearInterval, now: Date.now };
  #now = 1_700_000_000_000;
  /** @type {Map<number, {at: number, every: number, call: () => void}>} */
  #waiting = new Map();
  #last = 0;

  constructor() {
    const wait = (repeats) => (call, delay = 0) => {
      this.#last += 1;
      this.#waiting.set(this.#last, { at: this.#now + delay, every: repeats ? Math.max(1, delay) : 0, call });
      return this.#last;
    };
    const forget = (id) => void this.#waiting.delete(id);
    Object.assign(globalThis, { setTimeout: wait(false), setInterval: wait(true), clearTimeout: forget, clearInterval: forget });
    Date.now = () => this.#now;
  }

  /** Let so many milliseconds pass, and call what falls due, in its order. */
  tick(milliseconds) {
    const until = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#waiting].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, timer] = due;
      this.#now = timer.at;
      if (timer.every) timer.at += timer.every;
      else this.#waiting.delete(id);
      timer.call();
    }
    this.#now = until;
  }

  /** Give the real time back. */
  reset() {
    const { now, ...timers } = this.#real;
    Object.assign(globalThis, timers);
    Date.now = now;
  }
}

export class FakeSocket {
  bufferedAmount = 0;
  /** @type {Array<Record<string, any>>} */
  messages = [];
  /** @type {ArrayBuffer[]} */
  frames = [];
  closed = 0;
  /** @type {(message: any) => void} */
  onText = () => {};
  /** @type {(frame: ArrayBuffer) => void} */
  onData = () => {};

  send(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      this.messages.push(message);
      queueMicrotask(() => this.onText(message));
    } else {
      this.frames.push(data);
      queueMicrotask(() => this.onData(data));
    }
  }

  close(code = 1000) {
    this.closed = code;
  }

  /** The server says something. */
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  welcome(more = {}) {
    this.say({ type: "welcome", version: 1, user: null, extensions: [], limits: LIMITS, processors: [], heartbeat_seconds: 20, ...more });
  }

  /** The connection breaks. */
  break(code = 1006) {
    this.onclose?.({ code });
  }

  sent(type) {
    return this.messages.filter((message) => message.type === type);
  }
}

/** A connection and the sockets it makes, the newest last. */
export function fakeConnection(options = {}) {
  /** @type {FakeSocket[]} */
  const sockets = [];
  const make = () => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  };
  const connection = new Connection({ url: "ws://test/ws", socket: make, ...options });
  connection.open();
  return { connection, sockets, newest: () => sockets[sockets.length - 1] };
}

/** A server of uploads: it stores, acks at half a window, and complains about what is against the rules. */
export class FakeServer {
  /** @type {Map<string, {bytes: number[], size: number, state: string, options: any}>} */
  uploads = new Map();
  /** @type {string[]} */
  faults = [];
  window = LIMITS.window_bytes;
  /** @type {any[]} */
  opened = [];
  /** Hold acks back. */
  silent = false;

  /** @param {FakeSocket} socket */
  serve(socket) {
    const refs = new Map();
    socket.onText = (message) => this.text(socket, refs, message);
    socket.onData = (frame) => this.data(socket, refs, frame);
  }

  text(socket, refs, message) {
    const { type, ref } = message;
    if (type === "upload.open" || type === "upload.resume") {
      const id = message.upload ?? `u${this.uploads.size + 1}`;
      if (type === "upload.open") this.uploads.set(id, { bytes: [], size: message.size, state: "receiving", options: message });
      const upload = this.uploads.get(id);
      const offset = upload.bytes.length;
      const open = { id, upload, edge: offset + this.window, unacked: 0, checksum: message.checksum === "crc32" };
      refs.set(ref, open);
      this.opened.push(open);
      socket.say({ type: "upload.opened", ref, upload: id, token: type === "upload.open" ? "t" : null, offset, window: this.window, job: null });
      if (upload.state === "stored") this.stored(socket, ref, open);
    } else if (type === "upload.finish") {
      const open = refs.get(ref);
      if (open.upload.bytes.length !== open.upload.size) {
        socket.say({ type: "error", ref, code: "size_mismatch", message: "", ended: false, expected: open.upload.bytes.length });
      } else {
        open.upload.state = "stored";
        this.stored(socket, ref, open);
      }
    } else if (type === "upload.abort") {
      refs.get(ref).upload.state = "aborted";
      socket.say({ type: "upload.aborted", ref });
    }
  }

  /** Move every edge. */
  grant(bytes) {
    for (const open of this.opened) open.edge = Math.max(open.edge, open.upload.bytes.length + bytes);
  }

  stored(socket, ref, { id, upload }) {
    socket.say({ type: "upload.stored", ref, upload: id, size: upload.size, sha256: "", job: `job-${id}` });
  }

  data(socket, refs, frame) {
    const header = parse(frame).ref;
    const open = refs.get(header);
    if (!open) return void this.faults.push(`data for ref ${header}`);
    const { offset, payload } = parse(frame, open.checksum);
    if (payload.length > LIMITS.chunk_bytes) this.faults.push(`a chunk of ${payload.length}`);
    if (offset + payload.length > open.edge) this.faults.push(`${offset + payload.length} is past the edge ${open.edge}`);
    if (offset !== open.upload.bytes.length) {
      socket.say({ type: "error", ref: header, code: "bad_offset", message: "", ended: false, expected: open.upload.bytes.length });
      return undefined;
    }
    open.upload.bytes.push(...payload);
    open.unacked += payload.length;
    if (!this.silent && (open.unacked >= this.window / 2 || open.upload.bytes.length === open.upload.size)) this.ack(socket, header, open);
    return undefined;
  }

  ack(socket, ref, open) {
    open.unacked = 0;
    const offset = open.upload.bytes.length;
    open.edge = Math.max(open.edge, offset + this.window);
    socket.say({ type: "upload.ack", ref, offset, window: this.window });
  }
}

/** @param {number} size @param {string} [name] */
export function fileOf(size, name = "a.bin") {
  const bytes = Uint8Array.from({ length: size }, (_, n) => (n * 7 + (n >> 8)) & 0xff);
  const file = new Blob([bytes], { type: "application/octet-stream" });
  return Object.assign(file, { name, lastModified: 1_700_000_000_000, bytes });
}
