// @ts-check
import { ask } from "./api.js";
import { Item } from "./item.js";
import * as memory from "./memory.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("../headrace/types.d.ts").Message} Message
 */

const CLEARED = "headrace.cleared";
const DAY = 86_400_000;

/**
 * After a reload: the server's jobs come back, and uploads that were cut off ask for their file.
 *
 * @param {Store} store
 */
export async function restore(store) {
  const [jobs, uploads, busy] = await Promise.all([ask("jobs?limit=100"), ask("uploads?state=receiving"), memory.claimed()]);
  const known = new Set(store.items.map((item) => item.upload?.id ?? item.job?.upload));
  const found = [
    ...(Array.isArray(uploads) ? uploads : (uploads?.uploads ?? [])).map(unfinished),
    ...(jobs?.jobs ?? []).filter(isRecent).map((/** @type {Message} */ state) => finished(store, state)),
    ...memory.recall().map((memo) => remembered(store, memo)),
  ];
  const fresh = found.filter((item) => {
    const id = item.unfinished?.upload ?? item.job?.upload;
    const wanted = !known.has(id) && !busy.has(id);
    known.add(id);
    return wanted;
  });
  store.restore(fresh);
}

/** Do not show again what has ended by now. */
export function clearFinished() {
  try {
    localStorage.setItem(CLEARED, String(Date.now()));
  } catch {
    // They come back at the next visit, that is all.
  }
}

/** What runs, and what has ended since yesterday or since the list was cleared. @param {Message} state */
function isRecent(state) {
  if (state.state === "queued" || state.state === "running") return true;
  let cleared = 0;
  try {
    cleared = Number(localStorage.getItem(CLEARED)) || 0;
  } catch {
    // As if it had never been cleared.
  }
  return Date.parse(state.finished_at ?? state.created_at) > Math.max(cleared, Date.now() - DAY);
}

/** @param {{upload: string, name: string, size: number | null, offset: number, modified: string | null}} upload */
function unfinished({ upload, name, size, offset, modified }) {
  const item = new Item(name, size);
  item.unfinished = { upload, token: null, name, size, offset, modified: modified ? Date.parse(modified) : null };
  return item;
}

/**
 * @param {Store} store
 * @param {Message} state
 */
function finished(store, state) {
  const item = new Item(state.name ?? "", state.size ?? null, state.content_type ?? "");
  const ended = state.state !== "queued" && state.state !== "running";
  item.job = store.jobs.follow(state.job, { state, history: ended ? false : undefined });
  return item;
}

/**
 * @param {Store} store
 * @param {memory.Memo} memo
 */
function remembered(store, memo) {
  const { upload, token, job, name, size, offset, modified } = memo;
  const item = new Item(name, size);
  item.token = token;
  if (job) item.job = store.jobs.follow(job, { token, history: true });
  else item.unfinished = { upload, token, name, size, offset, modified };
  if (item.job) item.job.upload ??= upload;
  return item;
}
