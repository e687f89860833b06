// @ts-check
import { isFinal } from "../headrace/job.js";
import { button, h, iconButton, setBar, setText } from "./dom.js";
import { kind, safeName } from "./format.js";
import { LogPanel } from "./log.js";
import { thumbnail } from "./thumbnail.js";
import { describe } from "./words.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./words.js").Words} Words
 * @typedef {import("./words.js").Phase} Phase
 */

/** Which buttons a row has, by its phase. */
const ACTS = /** @type {Record<string, Array<"pause" | "play" | "cancel">>} */ ({
  waiting: ["cancel"],
  uploading: ["pause", "cancel"],
  offline: ["pause", "cancel"],
  held: ["pause", "cancel"],
  paused: ["play", "cancel"],
  elsewhere: ["play", "cancel"],
  choose: ["cancel"],
  queued: ["cancel"],
  processing: ["cancel"],
});

/** One row: it is made once, and `update` changes what has changed. */
export class Row {
  #store;
  #item;
  #acts = "";
  #more = "";
  /** @type {LogPanel | null} */
  #log = null;

  /**
   * @param {Store} store
   * @param {Item} item
   */
  constructor(store, item) {
    this.#store = store;
    this.#item = item;
    this.shown = safeName(item.name);
    this.thumb = h("span", { class: "thumb", "aria-hidden": "true" }, kind(this.shown, item.type));
    this.label = h("bdi", {}, this.shown);
    this.name = h("span", { class: "name", title: this.shown }, this.label);
    this.pill = h("span", { class: "pill" });
    this.acts = h("span", { class: "acts" });
    this.upload = h("u");
    this.work = h("u");
    this.bars = h("span", { class: "bars", "aria-hidden": "true" }, h("i", {}, this.upload), h("i", {}, this.work));
    this.detail = h("span", { class: "detail" });
    this.more = h("div", { class: "more" });
    const parts = [this.thumb, this.name, this.pill, this.acts, this.bars, this.detail, this.more];
    this.element = h("li", { class: "row", "data-item": item.key }, ...parts);
    thumbnail(item, this.thumb);
  }

  /** @param {number} now epoch milliseconds */
  update(now) {
    const item = this.#item;
    const view = item.view(this.#store.connection, now);
    const words = describe(view);
    this.element.dataset.phase = view.phase;
    setText(this.pill, words.pill);
    this.pill.className = `pill ${words.tone}`;
    this.#bars(words);
    this.#detail(words);
    this.#buttons(view.phase);
    this.#extra(view.phase);
    this.#link();
    thumbnail(item, this.thumb);
  }

  /** @param {Words} words */
  #bars(words) {
    const unknown = words.work === null;
    this.bars.className = ["bars", words.tone, words.working && "working", unknown && "unknown"].filter(Boolean).join(" ");
    setBar(this.upload, words.upload);
    setBar(this.work, words.work ?? 1);
  }

  /** @param {Words} words */
  #detail(words) {
    const text = words.detail.map((part) => part.text).join(" · ");
    if (this.detail.textContent === text) return;
    const nodes = words.detail.flatMap((part, index) => {
      const page = part.link && this.#item.page;
      const node = page ? h("a", { href: page }, part.text) : part.strong ? h("b", {}, part.text) : part.text;
      return index > 0 ? [" · ", node] : [node];
    });
    this.detail.replaceChildren(...nodes);
  }

  /** The name leads to the job's page, once there is one. */
  #link() {
    const { page } = this.#item;
    const link = this.label.parentElement;
    if (!page || link?.getAttribute("href") === page) return;
    this.name.replaceChildren(h("a", { href: page }, this.label));
  }

  /** @param {Phase} phase */
  #buttons(phase) {
    const wanted = (ACTS[phase] ?? []).join();
    if (wanted === this.#acts) return;
    this.#acts = wanted;
    const focused = this.acts.contains(document.activeElement);
    this.acts.replaceChildren(...(ACTS[phase] ?? []).map((act) => this.#button(act)));
    if (!focused) return;
    const next = /** @type {HTMLElement | null} */ (this.acts.querySelector("button"));
    (next ?? this.#focusable()).focus();
  }

  #focusable() {
    this.element.tabIndex = -1;
    return this.element;
  }

  /** @param {"pause" | "play" | "cancel"} act */
  #button(act) {
    const store = this.#store;
    const item = this.#item;
    if (act === "pause") return iconButton("pause", `Pause ${this.shown}`, () => store.pause(item));
    if (act === "play") return iconButton("play", `Continue ${this.shown}`, () => store.resume(item));
    return iconButton("cross", `Cancel ${this.shown}`, () => store.cancel(item));
  }

  /** The reason of a failure, the log, the button to choose a file again. @param {Phase} phase */
  #extra(phase) {
    const item = this.#item;
    const { message = "" } = item.refused ?? item.upload?.error ?? item.job?.error ?? {};
    const key = [phase, message, item.note, item.showsLog].join("\n");
    if (this.#log && item.job) this.#log.update(item.job);
    if (key === this.#more) return;
    this.#more = key;
    const focused = /** @type {HTMLElement | null} */ (this.more.contains(document.activeElement) ? document.activeElement : null);
    const name = focused?.textContent;
    this.#log = null;
    this.more.replaceChildren(...this.#extras(phase, message));
    for (const one of this.more.querySelectorAll("button")) if (name && one.textContent === name) one.focus();
  }

  /**
   * @param {Phase} phase
   * @param {string} message
   * @returns {Node[]}
   */
  #extras(phase, message) {
    const { note } = this.#item;
    if (phase === "processing-failed") return [this.#failure(message), ...this.#logPanel()];
    if (phase === "upload-failed") return [this.#uploadFailure(message)];
    const notes = note ? [h("p", { class: "reason warn", role: "status" }, note)] : [];
    if (phase !== "choose") return notes;
    const choose = button("Choose file", () => this.#store.chooseAgain(this.#item));
    choose.setAttribute("aria-label", `Choose file ${this.shown}`);
    return [...notes, h("div", { class: "buttons" }, choose)];
  }

  /** @param {string} message */
  #failure(message) {
    const item = this.#item;
    const again = button("Process again", () => this.#store.retry(item));
    const log = button(item.showsLog ? "Hide log" : "Show log", () => this.#store.toggleLog(item));
    log.setAttribute("aria-expanded", String(item.showsLog));
    const note = item.note || "The file is uploaded; nothing needs to be sent again.";
    return h("div", { class: "reason" }, h("b", {}, message), h("br"), note, h("div", { class: "buttons" }, again, log));
  }

  /** @param {string} message */
  #uploadFailure(message) {
    const item = this.#item;
    const again = item.file && !item.refused && button("Upload again", () => this.#store.uploadAgain(item));
    const remove = button("Remove from the list", () => this.#store.remove(item));
    const buttons = h("div", { class: "buttons" }, again, remove);
    return h("div", { class: "reason" }, h("b", {}, message), item.note && h("br"), item.note, buttons);
  }

  #logPanel() {
    const { showsLog, job } = this.#item;
    if (!showsLog || !job) return [];
    this.#log = new LogPanel(isFinal(job));
    this.#log.update(job);
    return [this.#log.element];
  }
}
