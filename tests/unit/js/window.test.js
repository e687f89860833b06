import assert from "node:assert/strict";
import { test } from "node:test";
import { SendWindow } from "../../../static/js/headrace/window.js";

test("nothing may be sent before the server has opened the upload", () => {
  assert.equal(new SendWindow(100).next(10), 0);
});

test("a frame may end at the edge, not past it", () => {
  const window = new SendWindow(100);
  window.opened(0, 30);
  assert.equal(window.next(30), 30);
  window.sent = 20;
  assert.equal(window.next(10), 10);
  assert.equal(window.next(11), 0, "11 bytes do not fit, and 20 are on their way");
});

test("the edge is the highest announced, and never goes back", () => {
  const window = new SendWindow(1000);
  window.opened(0, 100);
  window.sent = 100;
  window.ack(50, 20);
  assert.equal(window.edge, 100);
  window.ack(100, 20);
  assert.equal(window.edge, 120);
});

test("a small window is used up where nothing is on its way", () => {
  const window = new SendWindow(1000);
  window.opened(0, 7);
  assert.equal(window.next(64), 7);
});

test("the last frame is as long as what is left", () => {
  const window = new SendWindow(25);
  window.opened(20, 1000);
  assert.equal(window.next(10), 5);
  window.sent = 25;
  assert.equal(window.next(10), 0);
  assert.ok(window.done);
});

test("an empty file is done at once", () => {
  const window = new SendWindow(0);
  window.opened(0, 1000);
  assert.ok(window.done);
  assert.equal(window.next(10), 0);
});

test("after a rewind it goes on from there", () => {
  const window = new SendWindow(100);
  window.opened(0, 100);
  window.sent = 80;
  window.ack(30, 100);
  window.rewind(30);
  assert.equal(window.next(20), 20);
  assert.equal(window.sent, 30);
});

test("an ack beyond what was sent moves both: another socket was quicker", () => {
  const window = new SendWindow(100);
  window.opened(0, 100);
  window.ack(60, 40);
  assert.equal(window.sent, 60);
});
