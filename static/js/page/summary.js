// @ts-check
import { h, setText } from "./dom.js";
import { summary } from "./words.js";

/** @typedef {import("./words.js").Phase} Phase */

const SPEAK_EVERY = 5000;

/** The list in a line: seen at once, spoken at most once in 5 s. */
export class Summary {
  #spoken = 0;
  #text = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} seen
   * @param {HTMLElement} spoken the live region
   */
  constructor(seen, spoken) {
    this.seen = seen;
    this.spoken = spoken;
  }

  /** @param {Phase[]} phases */
  update(phases) {
    const parts = summary(phases);
    const text = parts.map((part) => part.text).join(" · ");
    if (text === this.#text) return;
    this.#text = text;
    const nodes = parts.flatMap(({ text: words, tone }, index) => {
      const node = tone === "" ? words : h("b", { class: tone }, words);
      return index > 0 ? [" · ", node] : [node];
    });
    this.seen.replaceChildren(...nodes);
    this.#timer ??= setTimeout(() => this.#speak(), Math.max(0, this.#spoken + SPEAK_EVERY - Date.now()));
  }

  #speak() {
    this.#timer = undefined;
    this.#spoken = Date.now();
    setText(this.spoken, this.#text.replaceAll(" · ", ", "));
  }
}
