// @ts-check
import { ask } from "./api.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./store.js").Store} Store
 */

const EVERY = 5000;
const AT_ONCE = 5;

/**
 * Ask now and then where the jobs that wait for a worker stand in line: no event tells it.
 *
 * @param {Store} store
 */
export function keepPlaces(store) {
  setInterval(async () => {
    if (document.hidden || store.connection.state !== "open") return;
    const waiting = store.items.filter((item) => item.phase(store.connection) === "queued");
    // The oldest first: they are the next to move.
    for (const item of waiting.slice(-AT_ONCE)) await lookUp(store, item);
  }, EVERY);
}

/**
 * @param {Store} store
 * @param {Item} item
 */
async function lookUp(store, item) {
  const id = item.job?.id ?? "";
  const state = await ask(`jobs/${id}`, item.token);
  if (!state) return;
  store.jobs.follow(id, { state });
  store.emit("change", item);
}
