import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { HeadraceError, Jobs } from "../../../static/js/headrace/jobs.js";
import { LIMITS, fakeConnection, settle } from "./fakes.js";

/** @type {Array<() => void>} */
const ends = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

function begin() {
  const { connection, newest } = fakeConnection();
  ends.push(() => connection.close());
  return { connection, newest, jobs: new Jobs(connection) };
}

const state = (job, name, seq, more = {}) => ({ type: "job.state", job, state: name, seq, first_seq: 1, attempt: 1, artifacts: [], ...more });
const event = (job, seq, name, more = {}) => ({ type: "job.event", job, seq, attempt: 1, event: name, ...more });

test("it subscribes once the connection is there", () => {
  const { newest, jobs } = begin();
  jobs.follow("a", { token: "t" });
  assert.equal(newest().messages.length, 0);
  newest().welcome();
  assert.deepEqual(newest().messages, [{ type: "job.subscribe", job: "a", after: 0, token: "t" }]);
});

test("the job of an upload is subscribed already", () => {
  const { newest, jobs } = begin();
  newest().welcome();
  const job = jobs.follow("a", { subscribed: true });
  assert.equal(newest().messages.length, 0);
  newest().say(event("a", 1, "queued"));
  assert.equal(job.seen, 1);
});

test("after a dropped connection it subscribes again, from the last event seen", () => {
  const { connection, newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a");
  newest().say(state("a", "running", 2));
  newest().say(event("a", 1, "queued"));
  newest().say(event("a", 2, "started"));
  newest().break();
  connection.retryNow();
  newest().welcome();
  assert.deepEqual(newest().messages, [{ type: "job.subscribe", job: "a", after: 2 }]);
});

test("one that has ended is not followed, unless its history is wanted", () => {
  const { newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a", { state: state("a", "succeeded", 3) });
  assert.equal(newest().messages.length, 0);
  jobs.follow("a", { history: true });
  assert.equal(newest().sent("job.subscribe").length, 1);
  newest().say(state("a", "succeeded", 3));
  assert.equal(newest().sent("job.unsubscribe").length, 0, "its events are still to come");
  for (const [seq, name] of [[1, "queued"], [2, "started"], [3, "succeeded"]]) newest().say(event("a", seq, name));
  assert.equal(newest().sent("job.unsubscribe").length, 1);
});

test("it follows no more at once than the server allows, and the rest in their turn", () => {
  const { newest, jobs } = begin();
  newest().welcome({ limits: { ...LIMITS, subscriptions: 12 } });
  for (const id of ["a", "b", "c"]) jobs.follow(id);
  assert.deepEqual(newest().sent("job.subscribe").map((one) => one.job), ["a", "b"]);
  newest().say(event("a", 1, "cancelled"));
  assert.deepEqual(newest().sent("job.subscribe").map((one) => one.job), ["a", "b", "c"]);
});

test("retry gives the new job, followed", async () => {
  const { newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a", { token: "t", state: state("a", "failed", 3) });
  const wanted = jobs.retry("a");
  assert.deepEqual(newest().sent("job.retry"), [{ type: "job.retry", job: "a", token: "t" }]);
  newest().say(state("b", "queued", 1, { retry_of: "a" }));
  const job = await wanted;
  assert.equal(job.id, "b");
  assert.deepEqual(newest().sent("job.subscribe").map((one) => one.job), ["b"]);
  jobs.cancel("b");
  assert.deepEqual(newest().sent("job.cancel"), [{ type: "job.cancel", job: "b", token: "t" }]);
});

test("create gives the new job of the upload", async () => {
  const { newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a", { state: state("a", "succeeded", 3, { upload: "u" }) });
  const wanted = jobs.create("u", "word-count", { top: 3 });
  newest().say(state("a", "succeeded", 3, { upload: "u" }));
  newest().say(state("b", "queued", 1, { upload: "u" }));
  assert.equal((await wanted).id, "b");
});

test("the server's no is an error with its code", async () => {
  const { newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a");
  const wanted = jobs.retry("a");
  newest().say({ type: "error", job: "a", code: "conflict", message: "This job has not ended yet.", ended: false });
  await assert.rejects(wanted, (error) => error instanceof HeadraceError && error.code === "conflict");
});

test("an error about an upload is nobody's business here", async () => {
  const { newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a");
  let ended = false;
  jobs.retry("a").finally(() => (ended = true)).catch(() => {});
  newest().say({ type: "error", ref: 3, code: "too_large", message: "", ended: true });
  await settle();
  assert.equal(ended, false);
});

test("without a connection it says so at once", async () => {
  const { jobs } = begin();
  await assert.rejects(jobs.retry("a"), (error) => error.code === "offline");
});

test("a cancel wished while there is no connection is sent once there is one", () => {
  const { newest, jobs } = begin();
  const job = jobs.follow("a", { token: "t" });
  jobs.cancel("a");
  newest().welcome();
  assert.deepEqual(newest().sent("job.cancel"), [{ type: "job.cancel", job: "a", token: "t" }]);
  newest().say(state("a", "running", 2));
  assert.equal(job.cancelRequested, true, "the state is from before the cancel");
});

test("a cancel that may have been lost with its connection is sent again, until the job has ended", () => {
  const { connection, newest, jobs } = begin();
  newest().welcome();
  jobs.follow("a");
  newest().say(state("a", "running", 0));
  jobs.cancel("a");
  newest().break();
  connection.retryNow();
  newest().welcome();
  assert.equal(newest().sent("job.cancel").length, 1);
  newest().say(event("a", 1, "cancelled"));
  newest().break();
  connection.retryNow();
  newest().welcome();
  assert.equal(newest().sent("job.cancel").length, 0);
});

test("a cancel of what the server does not know is not sent again", () => {
  const { connection, newest, jobs } = begin();
  newest().welcome();
  jobs.cancel("a");
  newest().say({ type: "error", job: "a", code: "not_found", message: "There is no such job." });
  newest().break();
  connection.retryNow();
  newest().welcome();
  assert.equal(newest().sent("job.cancel").length, 0);
});
