// @ts-check
const WINDOW = 5;
const KNOWN_AFTER = 2;

/** Speed and time left, smoothed over 5 s and unknown for the first 2. Times are seconds of any clock. */
export class Rate {
  /** @type {Array<{at: number, value: number}>} */
  #samples = [];
  /** @type {{at: number, left: number} | null} */
  #shown = null;

  /** Forget: after a pause the old speed says nothing. */
  reset() {
    this.#samples = [];
    this.#shown = null;
  }

  /**
   * @param {number} at
   * @param {number} value how far it has come
   */
  add(at, value) {
    const last = this.#samples.at(-1);
    if (last && value < last.value) this.reset();
    if (last && at - last.at < 0.05 && this.#samples.length > 1) last.value = value;
    else this.#samples.push({ at, value });
    this.#trim(at);
  }

  /** Keep one sample that is older than the window, to measure from. @param {number} at */
  #trim(at) {
    while (this.#samples.length > 2 && this.#samples[1].at <= at - WINDOW) this.#samples.shift();
  }

  /**
   * @param {number} at
   * @returns {number | null} per second; null while too little is known
   */
  speed(at) {
    this.#trim(at);
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || at - first.at < KNOWN_AFTER) return null;
    return (last.value - first.value) / (at - first.at);
  }

  /**
   * Seconds until `total`. It counts down by itself and only leans towards what the speed says, so it does not jump.
   *
   * @param {number} at
   * @param {number} total
   * @returns {number | null}
   */
  left(at, total) {
    const speed = this.speed(at);
    const last = this.#samples.at(-1);
    if (!speed || speed <= 0 || !last) {
      this.#shown = null;
      return null;
    }
    const says = Math.max(0, total - last.value - speed * Math.min(1, at - last.at)) / speed;
    if (!this.#shown) {
      this.#shown = { at, left: says };
    } else {
      const passed = at - this.#shown.at;
      const counted = Math.max(0, this.#shown.left - passed);
      this.#shown = { at, left: counted + (says - counted) * Math.min(1, passed / WINDOW) };
    }
    return this.#shown.left;
  }
}
