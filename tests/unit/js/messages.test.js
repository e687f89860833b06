import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { read } from "../../../static/js/headrace/messages.js";

const vectors = JSON.parse(await readFile(new URL("../../vectors/messages.json", import.meta.url), "utf8"));
const text = (parts) => [parts].flat().map((part) => (Array.isArray(part) ? part[0].repeat(part[1]) : part)).join("");
const fromServer = vectors.filter((one) => one.direction === "server");

test("there are vectors", () => assert.ok(fromServer.length >= 28));

for (const { name, text: frame, expected } of fromServer) {
  test(name, () => assert.deepEqual(read(text(frame)), expected));
}

for (const frame of ["", "{", "null", "7", "[]", '{"type": 7}', '{"no": "type"}']) {
  test(`ignored: ${frame}`, () => assert.equal(read(frame), null));
}
