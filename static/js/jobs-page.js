// @ts-check
/** The history: the server has drawn the rows, the socket keeps those alive that have not ended. */
import { connect } from "./headrace/connection.js";
import { Jobs } from "./headrace/jobs.js";
import { h, setBar, setText } from "./page/dom.js";
import { Item } from "./page/item.js";
import { sleepInBackForwardCache } from "./page/presence.js";
import { describe } from "./page/words.js";

const rows = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-live]"));

if (rows.length > 0) {
  const connection = connect();
  const jobs = new Jobs(connection);
  /** @type {Map<string, {item: Item, row: HTMLElement}>} */
  const shown = new Map();
  for (const row of rows) {
    const { job = "", name = "", size } = row.dataset;
    const item = new Item(name, size ? Number(size) : null);
    item.job = jobs.follow(job);
    shown.set(job, { item, row });
  }
  jobs.on("change", (job) => {
    const one = shown.get(job.id);
    one?.item.measure(Date.now() / 1000);
    if (one) update(one.item, one.row);
  });
  setInterval(() => {
    for (const { item, row } of shown.values()) if (item.job?.state === "running") update(item, row);
  }, 1000);
  sleepInBackForwardCache(connection);

  /**
   * A row that changes its state changes two counts above.
   *
   * @param {HTMLElement} row
   * @param {string} state
   */
  function count(row, state) {
    const before = row.dataset.phase ?? "";
    if (before === state) return;
    row.dataset.phase = state;
    for (const [name, step] of /** @type {Array<[string, number]>} */ ([[before, -1], [state, 1]])) {
      const place = document.querySelector(`[data-count="${name}"]`);
      if (place) place.textContent = String(Math.max(0, Number(place.textContent) + step));
    }
  }

  /**
   * @param {Item} item
   * @param {HTMLElement} row
   */
  function update(item, row) {
    const words = describe(item.view(connection, Date.now()));
    const pill = /** @type {HTMLElement} */ (row.querySelector(".pill"));
    const bars = /** @type {HTMLElement} */ (row.querySelector(".bars"));
    const detail = /** @type {HTMLElement} */ (row.querySelector(".live"));
    setText(pill, words.pill);
    pill.className = `pill ${words.tone}`;
    bars.hidden = !words.working;
    bars.className = ["bars", words.working && "working", words.work === null && "unknown"].filter(Boolean).join(" ");
    const [, work] = /** @type {NodeListOf<HTMLElement>} */ (bars.querySelectorAll("u"));
    setBar(work, words.work ?? 1);
    const parts = words.detail.flatMap((part, at) => {
      const node = part.strong ? h("b", {}, part.text) : part.text;
      return at > 0 ? [" · ", node] : [node];
    });
    count(row, item.job?.state ?? "");
    const error = item.job?.error?.message;
    const text = error ?? words.detail.map((part) => part.text).join(" · ");
    if (detail.textContent !== text) detail.replaceChildren(...(error ? [error] : parts));
  }
}
