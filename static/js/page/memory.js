// @ts-check
/**
 * What the browser remembers of uploads that nobody owns: only their token opens them again. Where there is an owner, the
 * server remembers, and nothing is kept here. Locks tell which uploads another window of this browser is busy with.
 *
 * @typedef {object} Memo
 * @property {string} upload
 * @property {string} token
 * @property {string | null} job
 * @property {string} name
 * @property {number | null} size
 * @property {number} offset as last acknowledged
 * @property {number | null} modified epoch milliseconds
 * @property {number} [at] when it was written
 */

const PREFIX = "headrace.upload.";
const KEPT = 7 * 86_400_000;
const NOTE_EVERY = 1000;

/** @type {Map<string, number>} */
const noted = new Map();
/** @type {Map<string, () => void>} */
const claims = new Map();

/** @param {Memo} memo */
export function remember(memo) {
  try {
    localStorage.setItem(PREFIX + memo.upload, JSON.stringify({ ...memo, at: Date.now() }));
  } catch {
    // A full or forbidden storage: the upload goes on, only a reload would not find it.
  }
}

/**
 * @param {string | null} upload
 * @param {number} offset
 */
export function noteOffset(upload, offset) {
  if (!upload || Date.now() - (noted.get(upload) ?? 0) < NOTE_EVERY) return;
  noted.set(upload, Date.now());
  const memo = read(PREFIX + upload);
  if (memo) remember({ ...memo, offset });
}

/** @param {string} upload */
export function forget(upload) {
  release(upload);
  try {
    localStorage.removeItem(PREFIX + upload);
  } catch {
    // Nothing was kept.
  }
}

/** @returns {Memo[]} newest first; what is too old is dropped */
export function recall() {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
    const memos = keys.map(read).filter((memo) => memo !== null);
    for (const memo of memos) if (Date.now() - (memo.at ?? 0) > KEPT) forget(memo.upload);
    return memos.filter((memo) => Date.now() - (memo.at ?? 0) <= KEPT).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  } catch {
    return [];
  }
}

/**
 * @param {string} key
 * @returns {Memo | null}
 */
function read(key) {
  try {
    const memo = JSON.parse(localStorage.getItem(key) ?? "null");
    return typeof memo?.upload === "string" && typeof memo.token === "string" ? memo : null;
  } catch {
    return null;
  }
}

/**
 * This window is busy with an upload, until `release` or until it is closed.
 *
 * @param {string} upload
 */
export function claim(upload) {
  if (claims.has(upload) || !globalThis.navigator?.locks) return;
  const held = new Promise((resolve) => claims.set(upload, () => resolve(undefined)));
  navigator.locks.request(PREFIX + upload, { ifAvailable: true }, () => held).catch(() => claims.delete(upload));
}

/** @param {string} upload */
export function release(upload) {
  claims.get(upload)?.();
  claims.delete(upload);
}

/** @returns {Promise<Set<string>>} uploads that some window of this browser is busy with */
export async function claimed() {
  const { held = [] } = (await globalThis.navigator?.locks?.query()) ?? {};
  return new Set(held.map(({ name = "" }) => name).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)));
}
