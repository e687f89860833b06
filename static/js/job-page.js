// @ts-check
/** One job, live: the reason first, then the result, then the log; its life at the right. */
import { connect } from "./headrace/connection.js";
import { isFinal } from "./headrace/job.js";
import { Jobs } from "./headrace/jobs.js";
import { ask } from "./page/api.js";
import { drawArtifacts } from "./page/artifacts.js";
import { byId, h, setBar, setText } from "./page/dom.js";
import { ProcessorForm } from "./page/form.js";
import { between, count, safeName } from "./page/format.js";
import { Item } from "./page/item.js";
import { LogPanel } from "./page/log.js";
import { sleepInBackForwardCache, whenSessionEnds } from "./page/presence.js";
import { rowCount } from "./page/shape.js";
import { drawTimeline, entriesOf } from "./page/timeline.js";
import { drawValue } from "./page/value.js";
import { describe } from "./page/words.js";

/** @typedef {import("./headrace/types.d.ts").Job} Job */

const main = byId("main");
const { job: id = "", name = "", size, upload: uploadId = "" } = main.dataset;
const connection = connect();
const jobs = new Jobs(connection);
const job = jobs.follow(id, { history: true });
const item = new Item(name, size ? Number(size) : null);
const log = new LogPanel();
/** @type {Array<{text: string, at: string, attempt: number}>} */
const steps = [];
/** @type {import("./page/timeline.js").Uploaded} */
const uploaded = { at: null, took: null };
let told = "";
/** @type {unknown[]} */
let drawn = [];

job.name = name;
job.size = item.size;
item.job = job;
byId("log-part").append(log.element);

function update() {
  const words = describe(item.view(connection, Date.now()));
  const pill = byId("state");
  setText(pill, words.pill);
  pill.className = `pill ${words.tone}`;
  setText(byId("detail"), words.detail.map((part) => part.text).join(" · "));
  drawBars(words);
  drawReason();
  drawResult();
  byId("log-part").hidden = job.logs.length === 0;
  byId("nothing-yet").hidden = isFinal(job) || !byId("result-part").hidden;
  byId("card").hidden = ["reason", "bars", "result-part", "log-part"].every((part) => byId(part).hidden);
  log.update(job);
  byId("timeline").replaceChildren(...drawTimeline(entriesOf(job, uploaded, steps)));
  byId("cancel").hidden = isFinal(job) || job.cancelRequested;
  byId("after").hidden = !isFinal(job);
  // Spoken where the state changes, not at every per cent.
  const spoken = words.pill.replace(/ \d+ %$/, "");
  if (told !== spoken) byId("spoken").textContent = told = spoken;
}

/** @param {import("./page/words.js").Words} words */
function drawBars(words) {
  const bars = byId("bars");
  bars.hidden = isFinal(job);
  bars.className = ["bars", "job-bars", words.working && "working", words.work === null && "unknown"].filter(Boolean).join(" ");
  setBar(byId("bar-work"), words.work ?? 1);
}

function drawReason() {
  const reason = byId("reason");
  reason.hidden = job.state !== "failed";
  if (reason.hidden) return;
  setText(byId("reason-text"), job.error?.message ?? "It failed.");
  const rows = rowCount(job.partial);
  const kept = rows === null ? "What was found before it is kept below." : `${count(rows, "row")} were found before it and are kept below.`;
  setText(byId("reason-kept"), job.partial === undefined ? "The file is uploaded; nothing needs to be sent again." : kept);
}

function drawResult() {
  const value = job.state === "succeeded" && job.result !== undefined ? job.result : job.partial;
  const now = [job.state, value, job.artifacts.length, job.resultUrl];
  if (now.every((one, at) => one === drawn[at]) && drawn.length > 0) return;
  drawn = now;
  const rows = rowCount(value);
  const partial = job.state !== "succeeded" && value !== undefined;
  setText(byId("result-title"), ["Result", rows === null ? "" : `, ${count(rows, "row")}`, partial ? " (partial)" : ""].join(""));
  const large = job.resultUrl ? h("p", {}, h("a", { href: job.resultUrl, download: "result.json" }, "Download the result"), " (it is too large to show here)") : null;
  const parts = [
    value === undefined || value === null ? null : h("div", { class: "value" }, drawValue(value, { label: "Result" })),
    large,
    ...drawArtifacts(job.artifacts, name),
  ].filter((one) => one instanceof Node);
  byId("result").replaceChildren(...parts);
  byId("result-part").hidden = parts.length === 0;
}

function noteStep() {
  const { message = "" } = job.progress ?? {};
  const last = steps[steps.length - 1];
  if (!message || job.state !== "running" || (last?.text === message && last.attempt === job.attempt)) return;
  // Words that only count up ("row 17", "row 18") are one step.
  const same = last?.attempt === job.attempt && last.text.replace(/\d+/g, "#") === message.replace(/\d+/g, "#") && !/^step/i.test(message);
  if (same) last.text = message;
  else steps.push({ text: message, at: new Date().toISOString(), attempt: job.attempt });
}

/** @param {() => Promise<Job>} make */
async function goTo(make) {
  try {
    location.href = `/jobs/${(await make()).id}/`;
  } catch (error) {
    const note = byId("note");
    note.hidden = false;
    note.textContent = error instanceof Error ? error.message : String(error);
  }
}

let frame = 0;
jobs.on("change", () => {
  item.measure(Date.now() / 1000);
  noteStep();
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    update();
  });
});
connection.on("state", update);
setInterval(() => !isFinal(job) && update(), 1000);
update();

byId("cancel").addEventListener("click", () => {
  jobs.cancel(id);
  update();
  byId("state").focus();
});
byId("again").addEventListener("click", () => goTo(() => jobs.retry(id)));

const form = new ProcessorForm({
  select: /** @type {HTMLSelectElement} */ (byId("processor")),
  about: byId("processor-about"),
  fieldset: /** @type {HTMLFieldSetElement} */ (byId("params")),
});
connection.on("open", ({ processors }) => {
  form.offer(processors);
  form.choose(job.processor || (main.dataset.processor ?? ""), JSON.parse(main.dataset.params ?? "{}"));
});
ask(`uploads/${uploadId}`).then((told) => {
  if (!told) return;
  uploaded.at = told.completed_at;
  uploaded.took = between(told.created_at, told.completed_at);
  update();
});
byId("other").addEventListener("click", () => {
  const choice = form.read();
  if (choice?.processor && job.upload) goTo(() => jobs.create(job.upload ?? "", choice.processor ?? "", choice.params));
});

const dialog = /** @type {HTMLDialogElement} */ (byId("delete-dialog"));
byId("delete").addEventListener("click", () => dialog.showModal());
byId("delete-no").addEventListener("click", () => dialog.close());
byId("delete-yes").addEventListener("click", () => {
  connection.on("upload.deleted", () => (location.href = "/jobs/"));
  connection.on("error", ({ message }) => {
    byId("note").hidden = false;
    byId("note").textContent = message;
  });
  connection.send({ type: "upload.delete", upload: job.upload });
  dialog.close();
});
setText(document.querySelector("h1 bdi") ?? document.createElement("i"), safeName(name));
sleepInBackForwardCache(connection);
whenSessionEnds(connection, byId("notice"));
