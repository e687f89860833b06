// @ts-check
/**
 * A JSON Schema of parameters as the fields of a form. Pure: form.js draws them.
 *
 * @typedef {import("../headrace/types.d.ts").Schema} Schema
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {"integer" | "number" | "boolean" | "choice" | "text" | "date" | "list" | "json"} kind
 * @property {boolean} required
 * @property {boolean} nullable
 * @property {unknown} initial
 * @property {unknown[]} choices
 * @property {number} [min]
 * @property {number} [max]
 * @property {Schema} schema
 */

import { labelOf } from "./shape.js";

/**
 * @param {Schema} schema
 * @returns {Field[]}
 */
export function fieldsOf(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, raw]) => {
    const { schema: own, nullable } = resolve(raw, schema);
    const whole = own.type === "integer";
    return {
      name,
      label: labelOf(name),
      help: raw.description ?? own.description ?? "",
      kind: kindOf(own),
      required: required.has(name),
      nullable,
      initial: raw.default ?? own.default,
      choices: own.enum ?? (own.const === undefined ? [] : [own.const]),
      min: own.minimum ?? (own.exclusiveMinimum === undefined || !whole ? own.exclusiveMinimum : own.exclusiveMinimum + 1),
      max: own.maximum ?? (own.exclusiveMaximum === undefined || !whole ? own.exclusiveMaximum : own.exclusiveMaximum - 1),
      schema: own,
    };
  });
}

/**
 * Follow $ref, a lone allOf, and "this or null".
 *
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {{schema: Schema, nullable: boolean}}
 */
function resolve(schema, root, depth = 0) {
  if (depth > 8) return { schema: {}, nullable: false };
  if (schema.$ref) {
    const target = root.$defs?.[schema.$ref.split("/").pop() ?? ""] ?? {};
    return resolve({ ...target, ...schema, $ref: undefined }, root, depth + 1);
  }
  if (schema.allOf?.length === 1) return resolve({ ...schema.allOf[0], ...schema, allOf: undefined }, root, depth + 1);
  const some = schema.anyOf ?? [];
  const others = some.filter((one) => one.type !== "null");
  if (others.length === 1) {
    const inner = resolve({ ...schema, ...others[0], anyOf: undefined }, root, depth + 1);
    return { schema: inner.schema, nullable: some.length > 1 || inner.nullable };
  }
  return { schema, nullable: some.length > others.length };
}

/**
 * @param {Schema} schema
 * @returns {Field["kind"]}
 */
function kindOf(schema) {
  if (schema.enum || schema.const !== undefined) return "choice";
  if (schema.type === "string") return schema.format === "date" ? "date" : "text";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  const plain = ["string", "integer", "number"].includes(schema.items?.type ?? "") && !schema.items?.enum;
  return schema.type === "array" && plain ? "list" : "json";
}

/**
 * What a form field starts with, as its control takes it.
 *
 * @param {Field} field
 * @returns {string}
 */
export function initialText({ initial, kind, choices }) {
  if (kind === "choice") return String(Math.max(0, choices.findIndex((one) => one === initial)));
  if (initial === undefined || initial === null) return "";
  if (kind === "list" && Array.isArray(initial)) return initial.join(", ");
  return typeof initial === "string" ? initial : JSON.stringify(initial);
}

/**
 * What was put in, as the server takes it; undefined for what was left as it is: the server's own default is used.
 *
 * @param {Field} field
 * @param {string} text "true" or "false" for a boolean; the number of the choice for a choice
 * @returns {unknown}
 * @throws {Error} with a sentence for people
 */
export function valueOf(field, text) {
  const given = text.trim();
  if (given === initialText(field).trim() && !field.required) return undefined;
  switch (field.kind) {
    case "boolean":
      return given === "true";
    case "choice":
      return field.choices[Number(given)];
    case "text":
      return text === "" && field.nullable ? null : text;
    default:
  }
  if (given === "") {
    if (field.nullable) return null;
    if (field.kind === "list") return [];
    if (!field.required) return undefined;
    throw new Error(`${field.label} is needed.`);
  }
  return fromText(field, given);
}

/**
 * @param {Field} field
 * @param {string} given not empty
 */
function fromText(field, given) {
  switch (field.kind) {
    case "integer":
    case "number":
      return numberIn(field, given);
    case "list":
      return given.split(/[,\n]/).map((one) => one.trim()).filter(Boolean).map((one) => entry(field, one));
    case "json":
      try {
        return JSON.parse(given);
      } catch {
        throw new Error(`${field.label} must be written as JSON.`);
      }
    default:
      return given;
  }
}

/**
 * @param {Field} field
 * @param {string} one
 */
function entry(field, one) {
  const numeric = field.schema.items?.type === "integer" || field.schema.items?.type === "number";
  return numeric ? numberIn({ label: field.label, kind: /** @type {"integer"} */ (field.schema.items?.type) }, one) : one;
}

/**
 * @param {Pick<Field, "label" | "kind" | "min" | "max">} field
 * @param {string} given
 */
function numberIn({ label, kind, min, max }, given) {
  const value = Number(given);
  if (!Number.isFinite(value)) throw new Error(`${label} must be a number.`);
  if (kind === "integer" && !Number.isInteger(value)) throw new Error(`${label} must be a whole number.`);
  if (min !== undefined && value < min) throw new Error(`${label} must be at least ${min}.`);
  if (max !== undefined && value > max) throw new Error(`${label} must be at most ${max}.`);
  return value;
}
