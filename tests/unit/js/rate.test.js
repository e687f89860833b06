import assert from "node:assert/strict";
import { test } from "node:test";
import { Rate } from "../../../static/js/page/rate.js";

/** @param {Rate} rate @param {number} from @param {number} to @param {(t: number) => number} value */
function feed(rate, from, to, value) {
  for (let t = from; t <= to + 1e-9; t += 0.1) rate.add(t, value(t));
}

test("nothing is known for the first 2 s", () => {
  const rate = new Rate();
  feed(rate, 0, 1.9, (t) => t * 100);
  assert.equal(rate.speed(1.9), null);
  assert.equal(rate.left(1.9, 1000), null);
  feed(rate, 2, 2.1, (t) => t * 100);
  assert.ok(Math.abs(rate.speed(2.1) - 100) < 5);
});

test("a steady speed is told as it is", () => {
  const rate = new Rate();
  feed(rate, 0, 10, (t) => t * 100);
  assert.ok(Math.abs(rate.speed(10) - 100) < 1);
  assert.ok(Math.abs(rate.left(10, 2000) - 10) < 0.5);
});

test("speed is over the last 5 s only", () => {
  const rate = new Rate();
  feed(rate, 0, 10, (t) => t * 1000);
  feed(rate, 10.1, 16, (t) => 10_000 + (t - 10) * 10);
  assert.ok(rate.speed(16) < 15);
});

test("time left does not jump when the speed does", () => {
  const rate = new Rate();
  let before = null;
  for (let t = 0; t < 30; t += 0.25) {
    rate.add(t, t < 15 ? t * 100 : 1500 + (t - 15) * 300);
    const left = rate.left(t, 6000);
    if (before !== null && left !== null) assert.ok(Math.abs(left - before) < 4, `${before} -> ${left} at ${t}`);
    before = left;
  }
  assert.ok(Math.abs(before - 0) < 3);
});

test("what stands still has no time left to tell", () => {
  const rate = new Rate();
  feed(rate, 0, 4, () => 100);
  assert.equal(rate.left(4, 1000), null);
});

test("a new start forgets the old speed", () => {
  const rate = new Rate();
  feed(rate, 0, 10, (t) => t * 100);
  rate.add(10.2, 5);
  assert.equal(rate.speed(10.2), null);
});
