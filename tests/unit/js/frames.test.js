import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { crc32, pack, parse } from "../../../static/js/headrace/frames.js";

const vectors = JSON.parse(await readFile(new URL("../../vectors/frames.json", import.meta.url), "utf8"));
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => Number.parseInt(two, 16));
const hex = (buffer) => Buffer.from(buffer).toString("hex");
const frames = vectors.filter((one) => one.expected);
const broken = vectors.filter((one) => one.error === "malformed");

test("there are vectors of both kinds", () => assert.ok(frames.length >= 9 && broken.length >= 7));

for (const { name, checksum, hex: frame, expected } of frames) {
  test(`taking apart: ${name}`, () => {
    const { payload, ...fields } = parse(bytes(frame), checksum);
    assert.deepEqual({ ...fields, payload: hex(payload) }, expected);
    if (checksum) assert.equal(crc32(payload), expected.crc32);
  });
  test(`packing: ${name}`, () => {
    assert.equal(hex(pack(expected.ref, expected.offset, bytes(expected.payload), checksum)), frame);
  });
}

for (const { name, checksum, hex: frame } of broken) {
  test(`not a frame: ${name}`, () => assert.throws(() => parse(bytes(frame), checksum), RangeError));
}

test("a part of a larger buffer is read where it lies", () => {
  const large = new Uint8Array(40).fill(0xff);
  large.set(bytes("00000001000000000000000068656c6c6f"), 11);
  assert.equal(hex(parse(large.subarray(11, 28)).payload), "68656c6c6f");
});

for (const [ref, offset, payload] of [
  [-1, 0, "x"],
  [2 ** 32 - 1, 0, "x"],
  [1.5, 0, "x"],
  [0, -1, "x"],
  [0, 2 ** 53, "x"],
  [0, 0, ""],
]) {
  test(`packing refuses ref ${ref}, offset ${offset}, payload "${payload}"`, () => {
    assert.throws(() => pack(ref, offset, new TextEncoder().encode(payload)), RangeError);
  });
}
