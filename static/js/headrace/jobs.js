// @ts-check
import { Emitter } from "./emitter.js";
import { applyEvent, applyState, isFinal, newJob } from "./job.js";

/**
 * @typedef {import("./types.d.ts").Message} Message
 * @typedef {import("./types.d.ts").Job} Job
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {{match: (state: Message) => boolean, job: string, resolve: (job: Job) => void, reject: (error: Error) => void}} Wish
 */

/** The server's "no": its code, and a sentence for people. */
export class HeadraceError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const PATIENCE = 20_000;

/**
 * The jobs that one page follows, over one connection. Events: `change` (job), for each job something new is known of.
 *
 * It subscribes again after a dropped connection, from the last event seen; ends subscriptions that nothing can come of;
 * and follows no more at once than the server allows: the rest wait their turn.
 */
export class Jobs extends Emitter {
  /** @type {Map<string, Job>} */
  #jobs = new Map();
  /** @type {Map<string, string | null>} the tokens of the jobs that nobody owns */
  #tokens = new Map();
  /** @type {Set<string>} followed, not subscribed yet */
  #later = new Set();
  /** @type {Set<string>} */
  #subscribed = new Set();
  /** @type {Set<string>} to be cancelled, and not ended yet: a cancel may be lost with its connection */
  #cancelling = new Set();
  /** @type {Wish[]} */
  #wishes = [];
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.on("open", () => this.#again());
    connection.on("down", () => this.#dropped());
    connection.on("job.state", (message) => this.#state(message));
    connection.on("job.event", (message) => this.#event(message));
    connection.on("error", (message) => this.#refused(message));
  }

  /**
   * @param {string} id
   * @returns {Job | undefined}
   */
  get(id) {
    return this.#jobs.get(id);
  }

  /**
   * Know a job and, until it ends, follow it.
   *
   * @param {string} id
   * @param {{token?: string | null, state?: Message, history?: boolean, subscribed?: boolean}} [how]
   *   `state`: its job.state, where it is known; `history`: replay its events though it has ended; `subscribed`: the
   *   server has subscribed this socket by itself, as it does for an upload's job
   * @returns {Job} the same object every time; `change` tells when it has changed
   */
  follow(id, how = {}) {
    const job = this.#jobs.get(id) ?? newJob(id);
    this.#jobs.set(id, job);
    if (how.token !== undefined) this.#tokens.set(id, how.token);
    if (how.state) applyState(job, how.state);
    if (this.#subscribed.has(id) || (isFinal(job) && !how.history)) return job;
    if (how.subscribed) this.#subscribed.add(id);
    else this.#later.add(id);
    this.#fill();
    return job;
  }

  /**
   * Cancel a job: now, or as soon as there is a connection.
   *
   * @param {string} id
   */
  cancel(id) {
    this.#cancelling.add(id);
    const job = this.#jobs.get(id);
    if (job) job.cancelRequested = true;
    this.#send("job.cancel", id);
  }

  /**
   * The same again, as a new job, which is followed.
   *
   * @param {string} id
   * @returns {Promise<Job>} rejects with HeadraceError
   */
  retry(id) {
    return this.#wish(id, (state) => state.retry_of === id, () => this.#send("job.retry", id));
  }

  /**
   * Another job on a stored upload; it is followed.
   *
   * @param {string} upload
   * @param {string} processor
   * @param {Record<string, unknown>} [params]
   * @param {string | null} [token]
   * @returns {Promise<Job>} rejects with HeadraceError
   */
  create(upload, processor, params = {}, token = null) {
    const known = new Set(this.#jobs.keys());
    const match = (/** @type {Message} */ state) => state.upload === upload && !known.has(state.job);
    const message = { type: "job.create", upload, processor, params, token: token ?? undefined };
    return this.#wish("", match, () => this.#connection.send(message), token);
  }

  /**
   * @param {string} job
   * @param {(state: Message) => boolean} match
   * @param {() => boolean} send
   * @param {string | null} [token]
   * @returns {Promise<Job>}
   */
  #wish(job, match, send, token = this.#tokens.get(job) ?? null) {
    return new Promise((resolve, reject) => {
      if (!send()) {
        reject(new HeadraceError("offline", "There is no connection to the server just now. Try again when it is back."));
        return;
      }
      const timer = setTimeout(() => fail(new HeadraceError("timeout", "The server did not answer. Try again.")), PATIENCE);
      const done = () => {
        clearTimeout(timer);
        this.#wishes = this.#wishes.filter((other) => other !== wish);
      };
      const fail = (/** @type {Error} */ error) => (done(), reject(error));
      /** @type {Wish} */
      const wish = { job, match, reject: fail, resolve: (made) => (done(), this.#tokens.set(made.id, token), resolve(made)) };
      this.#wishes.push(wish);
    });
  }

  /** @param {Message} message */
  #state(message) {
    const wish = this.#wishes.find((one) => one.match(message));
    if (!wish && !this.#jobs.has(message.job)) return;
    const job = this.follow(message.job, { state: message });
    if (this.#cancelling.has(job.id)) job.cancelRequested = true;
    wish?.resolve(job);
    this.#tell(job);
  }

  /** @param {Message} message */
  #event(message) {
    const job = this.#jobs.get(message.job);
    if (job && applyEvent(job, message)) this.#tell(job);
  }

  /** @param {Message} message */
  #refused(message) {
    if (message.ref !== undefined) return;
    const wish = this.#wishes.find((one) => one.job === (message.job ?? "")) ?? this.#wishes[0];
    if (message.job && message.code === "not_found") this.#drop(message.job);
    wish?.reject(new HeadraceError(message.code, message.message));
  }

  /** @param {Job} job */
  #tell(job) {
    if (isFinal(job)) this.#cancelling.delete(job.id);
    if (isFinal(job) && job.seen >= job.known && this.#subscribed.delete(job.id)) {
      this.#send("job.unsubscribe", job.id, false);
      this.#fill();
    }
    this.emit("change", job);
  }

  /** @param {string} id */
  #drop(id) {
    this.#subscribed.delete(id);
    this.#later.delete(id);
    this.#cancelling.delete(id);
  }

  /** Subscribe to what waits, as far as the server allows; a few are left for the jobs of uploads. */
  #fill() {
    if (this.#connection.state !== "open") return;
    const most = Math.max(1, (this.#connection.welcome?.limits.subscriptions ?? 100) - 10);
    for (const id of this.#later) {
      if (this.#subscribed.size >= most) return;
      this.#later.delete(id);
      this.#subscribed.add(id);
      const after = this.#jobs.get(id)?.seen ?? 0;
      this.#connection.send({ type: "job.subscribe", job: id, after, token: this.#tokens.get(id) ?? undefined });
    }
  }

  /** A new socket knows of no subscription, and the old one may have taken a cancel with it. */
  #again() {
    for (const id of this.#subscribed) this.#later.add(id);
    this.#subscribed.clear();
    this.#fill();
    for (const id of this.#cancelling) this.#send("job.cancel", id);
  }

  #dropped() {
    for (const wish of [...this.#wishes]) {
      wish.reject(new HeadraceError("offline", "The connection was lost before the server answered. Look whether it was done."));
    }
  }

  /**
   * @param {string} type
   * @param {string} id
   * @param {boolean} [withToken]
   * @returns {boolean}
   */
  #send(type, id, withToken = true) {
    return this.#connection.send({ type, job: id, token: (withToken && this.#tokens.get(id)) || undefined });
  }
}
