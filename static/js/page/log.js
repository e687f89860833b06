// @ts-check
import { button, h } from "./dom.js";
import { clock } from "./format.js";

/**
 * @typedef {import("../headrace/types.d.ts").Job} Job
 * @typedef {import("../headrace/types.d.ts").LogLine} LogLine
 */

/** A job's log: monospace, follows its end while it grows (unless the reader has scrolled up), can be copied. */
export class LogPanel {
  #shown = 0;
  #dropped = 0;
  #follows = true;

  /** @param {boolean} [ended] a log that has ended is read from its start */
  constructor(ended = false) {
    this.#follows = !ended;
    this.lines = h("pre", { tabindex: "0", role: "region", "aria-label": "Log" });
    this.lines.addEventListener("scroll", () => this.#noteScroll());
    this.copy = button("Copy", () => this.#copy(), "plain");
    this.toEnd = button("Follow", () => this.#follow(), "plain");
    this.toEnd.hidden = true;
    this.heading = h("div", { class: "heading" }, h("h2", {}, "Log"), h("div", { class: "buttons" }, this.toEnd, this.copy));
    this.element = h("div", { class: "log" }, this.heading, this.lines);
  }

  /** @param {Job} job */
  update(job) {
    const { logs, logsDropped } = job;
    if (logsDropped > this.#dropped) {
      for (let n = this.#dropped; n < logsDropped && this.lines.firstChild; n += 1) this.lines.firstChild.remove();
      this.#shown = Math.max(0, this.#shown - (logsDropped - this.#dropped));
      this.#dropped = logsDropped;
    }
    if (logs.length === 0 && this.lines.childElementCount === 0) {
      this.lines.replaceChildren(h("span", { class: "none" }, "This job has written no log."));
    } else if (logs.length > this.#shown) {
      if (this.#shown === 0) this.lines.replaceChildren();
      this.lines.append(...logs.slice(this.#shown).map(logLine));
      this.#shown = logs.length;
    }
    if (this.#follows) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #noteScroll() {
    this.#follows = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 24;
    this.toEnd.hidden = this.#follows;
  }

  #follow() {
    this.#follows = true;
    this.lines.scrollTop = this.lines.scrollHeight;
    this.lines.focus();
  }

  async #copy() {
    let told = "Copied";
    try {
      await navigator.clipboard.writeText(this.lines.textContent ?? "");
    } catch {
      getSelection()?.selectAllChildren(this.lines);
      told = "Selected: press Ctrl+C";
    }
    this.copy.textContent = told;
    setTimeout(() => (this.copy.textContent = "Copy"), 2000);
  }
}

/** @param {LogLine} line */
function logLine({ at, level, message }) {
  const time = h("span", { class: "time" }, `${clock(at, true)}  `);
  const word = level === "info" ? "" : h("b", { class: `level-${level}` }, `${level}  `);
  return h("span", {}, time, word, `${message}\n`);
}
