import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as format from "../../../static/js/page/format.js";

const shared = JSON.parse(await readFile(new URL("shown.json", import.meta.url), "utf8"));

for (const [name, shown] of shared.names) {
  test(`the name ${JSON.stringify(name)}`, () => assert.equal(format.safeName(name), shown));
}
for (const [value, shown] of shared.sizes) test(`${value} bytes`, () => assert.equal(format.bytes(value), shown));
for (const [value, shown] of shared.seconds) test(`${value} s`, () => assert.equal(format.duration(value), shown));

for (const [done, total, shown] of [
  [18e6, 50e6, "18 of 50 MB"],
  [18.7e6, 50e6, "19 of 50 MB"],
  [1.3e9, 4.2e9, "1.3 of 4.2 GB"],
  [300e6, 1.2e9, "300 MB of 1.2 GB"],
  [0, 50e6, "0 of 50 MB"],
  [5, 105, "5 of 105 bytes"],
]) {
  test(shown, () => assert.equal(format.bytesOf(done, total), shown));
}

test("a part is never 100 % before it is whole", () => {
  assert.equal(format.percent(999, 1000), 99);
  assert.equal(format.percent(1000, 1000), 100);
  assert.equal(format.percent(0.57, 1), 57);
  assert.equal(format.percent(0, 0), 100, "an empty file is all there");
});

for (const [seconds, shown] of [
  [0.2, "about 1 s left"],
  [7.4, "about 7 s left"],
  [33, "about 35 s left"],
  [57, "about 1 min left"],
  [250, "about 4 min left"],
  [7300, "about 2 h left"],
]) {
  test(shown, () => assert.equal(format.about(seconds), shown));
}

test("places in line", () => {
  const places = [1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 1002];
  const shown = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th", "1,002nd"];
  assert.deepEqual(places.map(format.ordinal), shown);
});

for (const [name, type, shown] of [
  ["cities.csv", "", "CSV"],
  ["archive.tar.parquet", "", "PARQ"],
  ["photo.JPEG", "", "JPEG"],
  ["page.xhtml", "", "XHTM"],
  ["README", "text/plain", "PLAI"],
  ["README", "", "FILE"],
  ["", "application/pdf", "PDF"],
]) {
  test(`the kind of ${name || type} is ${shown}`, () => assert.equal(format.kind(name, type), shown));
}

test("times", () => {
  assert.equal(format.between("2026-01-01T00:00:00Z", "2026-01-01T00:00:02.500Z"), 2.5);
  assert.equal(format.between("2026-01-01T00:00:00Z", null), null);
  assert.equal(format.between("nonsense", "2026-01-01T00:00:00Z"), null);
  assert.match(format.clock("2026-01-01T00:00:01.118Z", true), /^\d\d:\d\d:01\.118$/);
  assert.equal(format.clock(null), "");
});
