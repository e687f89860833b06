// @ts-check
/** The upload page: puts its parts together. */
import { connect } from "./headrace/connection.js";
import { byId } from "./page/dom.js";
import { dropAnywhere } from "./page/drop.js";
import { ProcessorForm } from "./page/form.js";
import { number } from "./page/format.js";
import { FileList } from "./page/list.js";
import { keepPlaces } from "./page/places.js";
import { sleepInBackForwardCache, whenSessionEnds } from "./page/presence.js";
import { clearFinished, restore } from "./page/restore.js";
import { Results } from "./page/results.js";
import { Store } from "./page/store.js";
import { Summary } from "./page/summary.js";

const main = byId("main");
const chooser = /** @type {HTMLInputElement} */ (byId("chooser"));
const listElement = byId("list");
const connection = connect();
const store = new Store(connection, main.dataset.owner === "none");
const summary = new Summary(byId("summary"), byId("spoken"));
const list = new FileList(listElement, store, drawn);
const results = new Results(byId("results-list"), byId("results-none"), (any) => (byId("to-results").hidden = !any));
const form = new ProcessorForm({
  select: /** @type {HTMLSelectElement} */ (byId("processor")),
  about: byId("processor-about"),
  fieldset: /** @type {HTMLFieldSetElement} */ (byId("params")),
});

/** Files chosen before the server's list is there wait for it: one of them may go on with an unfinished upload. */
const restored = restore(store);

/** @param {File[]} files */
async function take(files) {
  if (files.length === 0) return;
  const choice = form.read();
  if (!choice) return;
  await restored;
  store.add(files, choice);
  showList();
  listElement.focus({ preventScroll: true });
}

/** The greeting or the list; at once, because what is not shown cannot have the focus. */
function showList() {
  main.classList.toggle("empty", store.items.length === 0);
  main.classList.toggle("two", store.items.length > 0);
}

/** What stands around the rows. */
function drawn() {
  const { items, finished } = store;
  showList();
  if (items.length > 0) summary.update(items.map((item) => item.phase(connection)));
  byId("rest").hidden = list.hidden <= 0;
  if (list.hidden > 0) byId("rest-text").textContent = `Showing ${number(items.length - list.hidden)} of ${number(items.length)}, failures first`;
  const running = items.filter((item) => item.upload && !item.upload.ended && !item.upload.aborting);
  const moving = running.filter((item) => item.upload?.state !== "paused" || item.place > 0);
  byId("pause-all").hidden = moving.length < 2;
  byId("resume-all").hidden = moving.length > 0 || running.length < 2;
  byId("clear").hidden = finished.length === 0 || running.length > 0;
  unfinished = running.length > 0;
}

let unfinished = false;

byId("choose").addEventListener("click", () => {
  store.wanted = null;
  chooser.click();
});
store.onChoose(() => chooser.click());
chooser.addEventListener("change", () => {
  const files = [...(chooser.files ?? [])];
  // So that choosing the same file once more is a change again.
  chooser.value = "";
  take(files);
});
dropAnywhere(take);

byId("sample").addEventListener("click", async () => {
  const { url = "", name = "sample.csv" } = byId("sample").dataset;
  const answer = await fetch(url);
  if (answer.ok) take([new File([await answer.blob()], name, { type: "text/csv" })]);
});
byId("pause-all").addEventListener("click", () => {
  for (const item of store.items) if (item.upload && !item.upload.ended) store.pause(item);
  byId("resume-all").hidden = false;
  byId("resume-all").focus();
});
byId("resume-all").addEventListener("click", () => {
  for (const item of [...store.items].reverse()) if (item.upload?.state === "paused") store.resume(item);
  byId("pause-all").hidden = false;
  byId("pause-all").focus();
});
byId("clear").addEventListener("click", () => {
  clearFinished();
  for (const item of store.finished) store.remove(item);
  (store.items.length > 0 ? listElement : byId("choose")).focus();
});
byId("more").addEventListener("click", () => list.more());

store.on("change", (item) => results.touch(item));
store.on("added", (items) => {
  for (const item of items) results.touch(item);
});
store.on("removed", (item) => results.remove(item));
connection.on("open", ({ processors }) => form.offer(processors));
keepPlaces(store);
addEventListener("beforeunload", (event) => {
  if (unfinished && connection.state === "open") event.preventDefault();
});
sleepInBackForwardCache(connection);
whenSessionEnds(connection, byId("notice"));
