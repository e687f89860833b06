import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEvent, applyState, isFinal, newJob } from "../../../static/js/headrace/job.js";

const event = (seq, name, more = {}) => ({ type: "job.event", job: "j", seq, attempt: 1, event: name, ...more });
const state = (name, seq, more = {}) => ({ type: "job.state", job: "j", state: name, seq, first_seq: 1, attempt: 1, artifacts: [], ...more });

function after(...messages) {
  const job = newJob("j");
  for (const message of messages) (message.type === "job.state" ? applyState : applyEvent)(job, message);
  return job;
}

test("a whole life", () => {
  const artifact = { name: "a.csv", content_type: "text/csv", size: 3, url: "/a" };
  const job = after(
    event(1, "queued", { attempt: 0, at: "2026-01-01T00:00:00Z" }),
    event(2, "started", { at: "2026-01-01T00:00:01Z" }),
    event(2, "progress", { done: 1, total: 4, unit: "rows" }),
    event(3, "partial", { data: [1] }),
    event(4, "log", { level: "warning", message: "hm" }),
    event(5, "succeeded", { result: { n: 1 }, result_url: null, artifacts: [artifact], at: "2026-01-01T00:00:03Z" }),
  );
  assert.equal(job.state, "succeeded");
  assert.deepEqual(job.result, { n: 1 });
  assert.deepEqual(job.partial, [1]);
  assert.deepEqual(job.artifacts, [artifact]);
  assert.deepEqual(job.logs, [{ at: null, level: "warning", message: "hm" }]);
  assert.deepEqual(job.moments.map((one) => one.event), ["queued", "started", "succeeded"]);
  assert.equal(job.startedAt, "2026-01-01T00:00:01Z");
  assert.equal(job.finishedAt, "2026-01-01T00:00:03Z");
  assert.equal(job.seen, 5);
});

test("what was seen is dropped", () => {
  const job = after(event(1, "queued"), event(2, "log", { message: "once" }));
  assert.equal(applyEvent(job, event(2, "log", { message: "once" })), false);
  assert.equal(job.logs.length, 1);
});

test("the progress of an older attempt is dropped", () => {
  const job = after(event(1, "queued"), event(2, "started"), event(3, "retrying"), event(4, "started", { attempt: 2 }));
  assert.equal(applyEvent(job, event(4, "progress", { done: 3 })), false);
  assert.equal(job.progress, null);
  assert.equal(applyEvent(job, event(4, "progress", { attempt: 2, done: 1 })), true);
  assert.equal(job.progress.done, 1);
});

test("a new attempt begins its progress anew and keeps what was found", () => {
  const job = after(
    event(1, "queued"),
    event(2, "started"),
    event(2, "progress", { done: 3, total: 4 }),
    event(3, "partial", { data: [1, 2] }),
    event(4, "retrying", { reason: "worker_lost", delay_seconds: 0 }),
  );
  assert.equal(job.state, "queued");
  assert.equal(job.progress, null);
  assert.deepEqual(job.partial, [1, 2]);
});

test("a replay under a newer state is history: it fills logs and results, and moves nothing back", () => {
  const job = after(
    state("failed", 9, { error: { code: "bad_row", message: "Row 17" }, progress: { done: 1, total: 3 } }),
    event(1, "queued"),
    event(2, "started"),
    event(3, "partial", { data: [1] }),
    event(9, "failed", { error: { code: "bad_row", message: "Row 17" } }),
  );
  assert.equal(job.state, "failed");
  assert.deepEqual(job.progress, { done: 1, total: 3 });
  assert.deepEqual(job.partial, [1]);
  assert.equal(job.error.message, "Row 17");
  assert.equal(job.seen, 9);
});

test("terminal is for ever", () => {
  const job = after(event(1, "queued"), event(2, "cancelled"));
  applyEvent(job, event(3, "started"));
  applyState(job, state("running", 3));
  assert.equal(applyEvent(job, event(3, "progress", { done: 1 })), false);
  assert.equal(job.state, "cancelled");
  assert.ok(isFinal(job));
});

test("an older state does not overtake a newer one", () => {
  const job = after(state("running", 5, { progress: { done: 2 } }), state("queued", 1));
  assert.equal(job.state, "running");
});

test("a state that is older than the events is old", () => {
  const job = after(event(1, "queued"), event(2, "started"), state("queued", 1, { ahead: 3 }));
  assert.equal(job.state, "running");
});

test("a state of the same age adds what events do not tell", () => {
  const job = after(event(1, "queued"), state("queued", 1, { ahead: 3, name: "a.csv" }));
  assert.deepEqual([job.ahead, job.name], [3, "a.csv"]);
});

test("a log is kept in bounds, and says how much went", () => {
  const job = newJob("j");
  for (let seq = 1; seq <= 1005; seq += 1) applyEvent(job, event(seq, "log", { message: `${seq}` }));
  assert.equal(job.logs.length, 1000);
  assert.equal(job.logs[0].message, "6");
  assert.equal(job.logsDropped, 5);
});
