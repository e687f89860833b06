import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "../../../static/js/headrace/emitter.js";
import { UploadQueue } from "../../../static/js/headrace/queue.js";

class FakeUpload extends Emitter {
  state = "waiting";
  aborting = false;
  get active() {
    return this.state === "sending";
  }
  get ended() {
    return ["stored", "aborted"].includes(this.state);
  }
  start() {
    this.become("sending");
  }
  pause() {
    this.become("paused");
  }
  become(state) {
    this.state = state;
    this.emit("change");
  }
}

function filled(n) {
  const queue = new UploadQueue(3);
  const uploads = Array.from({ length: n }, () => new FakeUpload());
  for (const upload of uploads) queue.add(upload);
  return { queue, uploads, states: () => uploads.map((upload) => upload.state) };
}

test("three at a time, the rest in line", () => {
  const { queue, uploads, states } = filled(5);
  assert.deepEqual(states(), ["sending", "sending", "sending", "waiting", "waiting"]);
  assert.deepEqual(queue.waiting, uploads.slice(3));
});

test("one that ends makes room", () => {
  const { uploads, states } = filled(5);
  uploads[1].become("stored");
  assert.deepEqual(states(), ["sending", "stored", "sending", "sending", "waiting"]);
});

test("one that is paused makes room, and comes back before the others", () => {
  const { queue, uploads, states } = filled(5);
  queue.pause(uploads[0]);
  assert.deepEqual(states(), ["paused", "sending", "sending", "sending", "waiting"]);
  queue.add(uploads[0], true);
  assert.deepEqual(queue.waiting, [uploads[0], uploads[4]]);
  uploads[1].become("stored");
  assert.equal(uploads[0].state, "sending");
});

test("one that waits can leave the line", () => {
  const { queue, uploads } = filled(5);
  uploads[3].become("aborted");
  assert.deepEqual(queue.waiting, [uploads[4]]);
});

test("the same one twice is once", () => {
  const { queue, uploads } = filled(4);
  queue.add(uploads[3]);
  queue.add(uploads[0]);
  assert.deepEqual(queue.waiting, [uploads[3]]);
});
