import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, summary } from "../../../static/js/page/words.js";

/** The row as it reads, and its tone. */
function row(view) {
  const words = describe({ size: null, sent: 0, ...view });
  return [[words.pill, ...words.detail.map((part) => part.text)].join(" · "), words.tone];
}

const MB = 1_000_000;
const rows = { done: 2812, total: 5000, unit: "rows", message: "Step 2 of 3, checking rows" };

for (const [view, text, tone] of [
  [{ phase: "waiting", place: 2 }, "Waiting · 2nd in line", "warn"],
  [{ phase: "queued", ahead: 1 }, "Waiting · 2nd in line", "warn"],
  [{ phase: "queued" }, "Waiting · for a worker", "warn"],
  [
    { phase: "uploading", size: 50 * MB, sent: 18 * MB, speed: 5.1 * MB, left: 7 },
    "Uploading 36 % · 18 of 50 MB · 5.1 MB/s · about 7 s left",
    "",
  ],
  [{ phase: "uploading", size: 50 * MB, sent: 18 * MB, speed: null, left: null }, "Uploading 36 % · 18 of 50 MB", ""],
  [{ phase: "uploading", size: 0, sent: 0, sealing: true }, "Uploading 100 % · 0 bytes · checking that it arrived whole", ""],
  [{ phase: "paused", size: 50 * MB, sent: 18 * MB }, "Paused · 18 of 50 MB saved on the server", "quiet"],
  [
    { phase: "offline", size: 52 * MB, sent: 30 * MB, retryIn: 2.4 },
    "Waiting for connection · 30 of 52 MB saved on the server · trying again in 3 s, nothing is lost",
    "warn",
  ],
  [
    { phase: "held", held: "storage_full", size: 52 * MB, sent: 30 * MB, retryIn: 5 },
    "Waiting · 30 of 52 MB saved on the server · the server's disk is full · trying again in 5 s, nothing is lost",
    "warn",
  ],
  [{ phase: "processing", size: 105_000, progress: rows, left: 4 }, "Processing 56 % · Step 2 of 3, checking rows · 2,812 of 5,000 rows · about 4 s left", ""],
  [{ phase: "processing", size: 105_000, progress: null }, "Processing · 105 KB", ""],
  [{ phase: "processing", size: 105_000, progress: { done: 5, unit: "pages" } }, "Processing · 5 pages", ""],
  [{ phase: "processing", size: 9, progress: rows, stopping: true }, "Processing 56 % · stopping", ""],
  [{ phase: "processing", size: 9, progress: { done: 18e6, total: 50e6, unit: "bytes" } }, "Processing 36 % · 18 of 50 MB", ""],
  [{ phase: "done", size: 53_000, took: 6, results: 3 }, "Done · 53 KB · took 6 s · 3 results", "ok"],
  [{ phase: "done", size: 53_000, took: 6, results: 1 }, "Done · 53 KB · took 6 s · 1 result", "ok"],
  [{ phase: "done", size: 53_000, took: null, results: 0 }, "Done · 53 KB", "ok"],
  [{ phase: "upload-failed", size: 53_000 }, "Upload failed · 53 KB", "error"],
  [
    { phase: "processing-failed", size: 105_000, took: 1, progress: { done: 17, total: 50, message: "Step 1 of 3, reading" } },
    "Processing failed · 105 KB · stopped at step 1 of 3 after 1 s",
    "error",
  ],
  [{ phase: "processing-failed", size: 105_000, took: 1, progress: { done: 17, total: 50 } }, "Processing failed · 105 KB · stopped at 34 % after 1 s", "error"],
  [{ phase: "processing-failed", size: 105_000, took: null }, "Processing failed · 105 KB", "error"],
  [{ phase: "cancelled", size: 105_000 }, "Cancelled · 105 KB", "quiet"],
]) {
  test(text, () => assert.deepEqual(row(view), [text, tone]));
}

test("an unfinished upload reads as one sentence over pill and detail", () => {
  const words = describe({ phase: "choose", size: 50 * MB, sent: 18.7 * MB });
  assert.equal(`${words.pill} ${words.detail[0].text}`, "Choose the file again to continue from 18.7 MB");
});

test("the bar has two parts", () => {
  const bar = (view) => {
    const { upload, work, working } = describe({ size: 100, sent: 0, ...view });
    return { upload, work, working };
  };
  assert.deepEqual(bar({ phase: "uploading", sent: 36 }), { upload: 0.36, work: 0, working: false });
  assert.deepEqual(bar({ phase: "uploading", sent: 36, progress: { done: 1, total: 4 } }), { upload: 0.36, work: 0.25, working: false });
  assert.deepEqual(bar({ phase: "queued" }), { upload: 1, work: 0, working: false });
  assert.deepEqual(bar({ phase: "processing", progress: { done: 1, total: 4 } }), { upload: 1, work: 0.25, working: true });
  assert.deepEqual(bar({ phase: "processing", progress: { done: 1 } }), { upload: 1, work: null, working: true });
  assert.deepEqual(bar({ phase: "processing", progress: { done: 9, total: 4 } }), { upload: 1, work: 1, working: true });
  assert.deepEqual(bar({ phase: "done" }), { upload: 1, work: 1, working: false });
  assert.deepEqual(bar({ phase: "processing-failed", progress: { done: 1, total: 4 } }), { upload: 1, work: 0.25, working: false });
});

test("every phase has its words", () => {
  for (const phase of ["elsewhere", "away", "waiting", "held", "queued", "cancelled"]) assert.ok(row({ phase })[0].length > 5);
});

test("the list in a line", () => {
  const phases = ["done", "uploading", "processing", "waiting", "processing-failed"];
  const text = (some) => summary(some).map((part) => part.text).join(" · ");
  assert.equal(text(phases), "1 of 5 done · 1 uploading · 1 processing · 1 waiting · 1 failed");
  assert.equal(text(["offline", "away", "paused", "choose"]), "0 of 4 done · 2 waiting for connection · 1 paused · 1 to choose again");
  assert.deepEqual(summary(phases).at(-1), { text: "1 failed", tone: "bad" });
});
