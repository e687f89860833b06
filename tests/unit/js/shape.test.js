import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, isCode, labelOf, rowCount, scalarText, shapeOf } from "../../../static/js/page/shape.js";

const bins = [{ from: 0, to: 1, count: 3 }, { from: 1, to: 2, count: 0 }];

for (const [value, shape] of [
  [undefined, "nothing"],
  [null, "nothing"],
  [[], "nothing"],
  [{}, "nothing"],
  ["text", "scalar"],
  ["", "scalar"],
  [0, "scalar"],
  [false, "scalar"],
  [bins, "histogram"],
  [[{ a: 1 }, { b: "x" }], "table"],
  [[{ a: 1, h: bins }], "table"],
  [[{ a: [1, 2, 3] }], "table"],
  [[{ a: { deep: 1 } }], "list"],
  [[["the", 12], ["and", 7]], "pairs"],
  [[1, 2, 3], "scalars"],
  [[["a", 1, 2]], "list"],
  [[1, { a: 1 }], "list"],
  [{ a: 1 }, "object"],
]) {
  test(`${JSON.stringify(value)} is ${shape}`, () => assert.equal(shapeOf(value), shape));
}

test("columns are in the order they come, and empty ones are left out", () => {
  assert.deepEqual(columnsOf([{ a: 1, n: null }, { b: 2, a: 3, n: null }]), ["a", "b"]);
  assert.deepEqual(columnsOf([{ n: null }]), ["n"]);
});

test("labels", () => {
  const keys = ["row_count", "sha256", "takenAt", "exif", "mime_type", "Name", "gps_id"];
  assert.deepEqual(keys.map(labelOf), ["Row count", "SHA-256", "Taken At", "EXIF", "MIME type", "Name", "GPS ID"]);
});

for (const [value, key, text] of [
  [1234567, "", "1,234,567"],
  [0.1 + 0.2, "", "0.3"],
  [53214, "size", "53.2 KB (53,214 bytes)"],
  [612, "size", "612 bytes"],
  [2026, "year", "2026"],
  [12345, "station_id", "12345"],
  [true, "", "yes"],
  [null, "", "–"],
  ["<b>", "", "<b>"],
]) {
  test(`${key || "a value"} ${value} reads ${text}`, () => assert.equal(scalarText(value, key), text));
}

test("digests are code, words are not", () => {
  assert.ok(isCode("9f86d081884c7d659a2feaa0c55ad015"));
  assert.ok(!isCode("a sentence that is rather long, with spaces"));
  assert.ok(!isCode(9));
});

test("rows are counted where there are rows", () => {
  assert.equal(rowCount([{ a: 1 }, { a: 2 }]), 2);
  assert.equal(rowCount({ a: 1 }), null);
});
