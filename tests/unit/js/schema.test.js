import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, initialText, valueOf } from "../../../static/js/page/schema.js";

/** As pydantic writes it. */
const schema = {
  type: "object",
  required: ["column"],
  $defs: { Mode: { enum: ["fast", "slow"], title: "Mode", type: "string" } },
  properties: {
    top: { type: "integer", default: 10, minimum: 1, maximum: 1000, title: "Top", description: "How many are shown" },
    ratio: { type: "number", default: 0.5, exclusiveMinimum: 0 },
    column: { type: "string", title: "Column" },
    header: { type: "boolean", default: true },
    mode: { $ref: "#/$defs/Mode", default: "slow" },
    limit: { anyOf: [{ type: "integer", minimum: 5 }, { type: "null" }], default: null },
    words: { type: "array", items: { type: "string" }, default: ["a", "b"] },
    numbers: { type: "array", items: { type: "integer" }, default: [] },
    day: { type: "string", format: "date", default: "2026-01-31" },
    options: { type: "object", default: {} },
  },
};
const fields = Object.fromEntries(fieldsOf(schema).map((field) => [field.name, field]));

test("every field has its kind", () => {
  const kinds = Object.fromEntries(Object.entries(fields).map(([name, { kind }]) => [name, kind]));
  assert.deepEqual(kinds, {
    top: "integer",
    ratio: "number",
    column: "text",
    header: "boolean",
    mode: "choice",
    limit: "integer",
    words: "list",
    numbers: "list",
    day: "date",
    options: "json",
  });
});

test("labels, help, bounds", () => {
  assert.equal(fields.top.label, "Top");
  assert.equal(fields.top.help, "How many are shown");
  assert.deepEqual([fields.top.min, fields.top.max], [1, 1000]);
  assert.deepEqual([fields.limit.nullable, fields.limit.min], [true, 5]);
  assert.deepEqual(fields.mode.choices, ["fast", "slow"]);
  assert.ok(fields.column.required);
});

test("what is left as it is, is left to the server", () => {
  for (const field of Object.values(fields)) {
    if (!field.required) assert.equal(valueOf(field, initialText(field)), undefined, field.name);
  }
});

for (const [name, text, value] of [
  ["top", "25", 25],
  ["top", " 25 ", 25],
  ["ratio", "1e-3", 0.001],
  ["column", "city", "city"],
  ["header", "false", false],
  ["mode", "0", "fast"],
  ["limit", "7", 7],
  ["words", "x, y,,z", ["x", "y", "z"]],
  ["words", "", []],
  ["numbers", "1, 2", [1, 2]],
  ["day", "2026-02-01", "2026-02-01"],
  ["options", '{"a": [1]}', { a: [1] }],
]) {
  test(`${name}: ${JSON.stringify(text)}`, () => assert.deepEqual(valueOf(fields[name], text), value));
}

for (const [name, text, message] of [
  ["top", "0", "Top must be at least 1."],
  ["top", "1001", "Top must be at most 1000."],
  ["top", "2.5", "Top must be a whole number."],
  ["top", "many", "Top must be a number."],
  ["numbers", "1, x", "Numbers must be a number."],
  ["options", "{", "Options must be written as JSON."],
]) {
  test(`${name}: ${JSON.stringify(text)} is wrong`, () => assert.throws(() => valueOf(fields[name], text), { message }));
}

test("a $ref that goes round is no endless loop", () => {
  const round = { properties: { a: { $ref: "#/$defs/A" } }, $defs: { A: { $ref: "#/$defs/A" } } };
  assert.equal(fieldsOf(round)[0].kind, "json");
});
