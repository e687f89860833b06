// @ts-check
/** Keeps the admin's first page true: asks for its figures every few seconds while somebody can see them. */

const SECONDS = 5;
const PATIENCE_MS = 10_000;

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} url
 * @property {string} name
 * @property {string} word
 * @property {string} kind
 * @property {string} took
 * @property {string} reason
 *
 * @typedef {object} Snapshot
 * @property {Record<string, string | number>} figures
 * @property {boolean} failing
 * @property {boolean} missing
 * @property {boolean} stuck
 * @property {{state: string, count: number}[]} chips
 * @property {Row[]} jobs
 * @property {string} updated
 */

/** @param {string} selector @param {ParentNode} [within] */
function one(selector, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Writing the same text again would end a selection. @param {Element} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} tr @param {Row} job */
function fill(tr, job) {
  const link = one("a", tr);
  link.setAttribute("href", job.url);
  write(one("bdi", tr), job.name);
  const pill = one(".pill", tr);
  pill.className = `pill ${job.kind}`;
  write(pill, job.word);
  write(one(".took", tr), job.took);
  write(one(".why span", tr), job.reason);
}

/**
 * Rows that stay are kept, so that focus and selection do, too.
 *
 * @param {Row[]} jobs
 */
function list(jobs) {
  const table = one("[data-jobs]");
  const body = one("tbody", table);
  const blank = document.querySelector("[data-row]");
  const before = new Map(Array.from(body.children, (tr) => [tr.getAttribute("data-job"), tr]));
  jobs.forEach((job, place) => {
    let tr = before.get(job.id);
    before.delete(job.id);
    if (!tr && blank instanceof HTMLTemplateElement) {
      tr = /** @type {Element} */ (/** @type {Element} */ (blank.content.firstElementChild).cloneNode(true));
      tr.setAttribute("data-job", job.id);
    }
    if (!tr) return;
    fill(tr, job);
    if (body.children[place] !== tr) body.insertBefore(tr, body.children[place] ?? null);
  });
  for (const tr of before.values()) tr.remove();
  table.hidden = jobs.length === 0;
  one("[data-nothing]").hidden = jobs.length > 0;
}

/** @param {Snapshot} now */
function show(now) {
  for (const [name, value] of Object.entries(now.figures)) write(one(`[data-figure="${name}"]`), String(value));
  one('[data-alarm="failing"]').classList.toggle("alarm", now.failing);
  one('[data-alarm="missing"]').classList.toggle("alarm", now.missing);
  one("[data-stuck]").hidden = !now.stuck;
  for (const chip of now.chips) write(one(`[data-count="${chip.state}"]`), String(chip.count));
  list(now.jobs);
  stamp(now.updated);
}

/** @param {string} iso */
function stamp(iso) {
  const time = one("[data-stamp-time]");
  time.setAttribute("datetime", iso);
  write(time, new Date(iso).toLocaleTimeString("en-GB"));
  word("Updated");
}

/** @param {string} text @param {boolean} [late] */
function word(text, late = false) {
  write(one("[data-stamp-word]"), text);
  one("[data-stamp]").classList.toggle("late", late);
}

const board = one("[data-dashboard]");
const url = `${board.dataset.live}?state=${encodeURIComponent(board.dataset.state ?? "")}`;
let timer = 0;
let asking = false;

async function ask() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let again = true;
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
    // Logged out, the admin answers with its log-in page.
    again = !answer.redirected && answer.status !== 403;
    if (!again) word("You are logged out. As of", true);
    else if (answer.ok) show(await answer.json());
    else word("The server does not answer. As of", true);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    word("The server does not answer. As of", true);
  } finally {
    asking = false;
    if (again) timer = setTimeout(ask, SECONDS * 1000);
  }
}

stamp(one("[data-stamp-time]").getAttribute("datetime") ?? "");
document.addEventListener("visibilitychange", ask);
timer = setTimeout(ask, SECONDS * 1000);
