import assert from "node:assert/strict";
import { test } from "node:test";
import { newJob } from "../../../static/js/headrace/job.js";
import { inWords } from "../../../static/js/page/histogram.js";
import { Item } from "../../../static/js/page/item.js";
import { windowOf } from "../../../static/js/page/list.js";
import { difference } from "../../../static/js/page/store.js";
import { entriesOf } from "../../../static/js/page/timeline.js";

test("up to 50 rows keep their order", () => {
  const items = Array.from({ length: 50 }, (_, n) => n);
  assert.deepEqual(windowOf(items, (n) => (n === 49 ? "processing-failed" : "done"), 50), items);
});

test("of more, a window: failures first, then what needs somebody, then what moves", () => {
  const phases = [...Array(60).fill("done"), "waiting", "uploading", "choose", "upload-failed", "processing", "processing-failed"];
  const shown = windowOf(phases.map((phase, at) => ({ phase, at })), (one) => one.phase, 50);
  assert.equal(shown.length, 50);
  const first = shown.slice(0, 6).map((one) => one.phase);
  assert.deepEqual(first, ["upload-failed", "processing-failed", "choose", "uploading", "processing", "waiting"]);
  assert.deepEqual(shown.slice(6).map((one) => one.at), Array.from({ length: 44 }, (_, n) => n));
});

const begun = { upload: "u", token: null, name: "a.csv", size: 100, offset: 5, modified: 1_700_000_000_123 };

for (const [file, reason] of [
  [{ name: "a.csv", size: 100, lastModified: 1_700_000_000_123 }, ""],
  [{ name: "a.csv", size: 100, lastModified: 1_700_000_001_000 }, ""],
  [{ name: "b.csv", size: 100, lastModified: 1_700_000_000_123 }, "its name"],
  [{ name: "a.csv", size: 101, lastModified: 1_700_000_000_123 }, "its size (101 bytes, not 100 bytes)"],
  [{ name: "a.csv", size: 100, lastModified: 1_700_000_009_000 }, "the time it was last changed"],
]) {
  test(`a chosen file differs in: ${reason || "nothing"}`, () => assert.equal(difference(file, begun), reason));
}

test("where the time is not known, name and size decide", () => {
  assert.equal(difference({ name: "a.csv", size: 100, lastModified: 5 }, { ...begun, modified: null }), "");
});

test("an item's phase follows its upload, its job and the connection", () => {
  const open = { state: "open" };
  const item = new Item("a", 100);
  assert.equal(item.phase(open), "waiting");
  for (const [state, phase] of [
    ["opening", "uploading"],
    ["sending", "uploading"],
    ["finishing", "uploading"],
    ["paused", "paused"],
    ["offline", "offline"],
    ["failed", "upload-failed"],
    ["aborted", "cancelled"],
    ["stored", "done"],
  ]) {
    item.upload = { state, aborting: false, retryAt: 0, detached: "" };
    assert.equal(item.phase(open), phase, state);
  }
  item.upload = { state: "stored" };
  item.job = newJob("j");
  for (const [state, phase] of [
    ["queued", "queued"],
    ["running", "processing"],
    ["succeeded", "done"],
    ["failed", "processing-failed"],
    ["cancelled", "cancelled"],
  ]) {
    item.job.state = state;
    assert.equal(item.phase(open), phase, state);
    const away = ["queued", "running"].includes(state) ? "away" : phase;
    assert.equal(item.phase({ state: "waiting" }), away, `${state}, connection away`);
  }
});

test("a timeline: uploaded, queued, each attempt with its steps, and the end", () => {
  const job = Object.assign(newJob("j"), {
    size: 105_000,
    processor: "table-profile",
    state: "failed",
    startedAt: "2026-01-01T11:45:02Z",
    progress: { done: 1, message: "Step 1 of 3, reading" },
    moments: [
      { event: "queued", at: "2026-01-01T11:45:01Z", attempt: 0, text: "" },
      { event: "started", at: "2026-01-01T11:45:01.100Z", attempt: 1, text: "" },
      { event: "retrying", at: "2026-01-01T11:45:01.500Z", attempt: 1, text: "worker_lost" },
      { event: "started", at: "2026-01-01T11:45:02Z", attempt: 2, text: "" },
      { event: "failed", at: "2026-01-01T11:45:03Z", attempt: 2, text: "Row 17" },
    ],
  });
  const steps = [{ text: "Step 1 of 3, reading", at: "2026-01-01T11:45:02Z", attempt: 2 }];
  const entries = entriesOf(job, { at: "2026-01-01T11:45:00Z", took: 0.2 }, steps);
  assert.deepEqual(
    entries.map(({ title, note, tone }) => [title, note.replace(/\d\d:\d\d:\d\d( · )?/, ""), tone]),
    [
      ["Uploaded, 105 KB", "0.2 s", ""],
      ["Queued", "waited 0.1 s", ""],
      ["Started", "attempt 1", ""],
      ["Tried again", "worker lost", "warn"],
      ["Started", "attempt 2", ""],
      ["Step 1 of 3, reading", "attempt 2", ""],
      ["Failed at step 1 of 3", "after 1 s", "error"],
    ],
  );
});

test("a timeline before its events are there", () => {
  const job = Object.assign(newJob("j"), { state: "running", createdAt: "2026-01-01T00:00:00Z", startedAt: "2026-01-01T00:00:01Z" });
  const entries = entriesOf(job, { at: null, took: null }, []);
  assert.deepEqual(entries.map(({ title, tone }) => [title, tone]), [["Uploaded", ""], ["Queued", ""], ["Started", "now"]]);
});

test("a chart in words", () => {
  assert.equal(inWords([{ from: 0, to: 10, count: 1234 }]), "bar chart; 0 to 10: 1,234");
  const many = Array.from({ length: 30 }, (_, n) => ({ from: n, to: n + 1, count: 1 }));
  assert.match(inWords(many), /and 6 more bars$/);
});
