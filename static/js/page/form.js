// @ts-check
import { h } from "./dom.js";
import { scalarText } from "./shape.js";
import { fieldsOf, initialText, valueOf } from "./schema.js";

/**
 * @typedef {import("../headrace/types.d.ts").ProcessorInfo} ProcessorInfo
 * @typedef {import("./schema.js").Field} Field
 */

const SHOWN_TYPES = 3;
let made = 0;

/** The choice of a processor, and a form for its parameters. */
export class ProcessorForm {
  /** @type {Array<{field: Field, control: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, error: HTMLElement}>} */
  #fields = [];
  /** @type {ProcessorInfo[]} */
  #processors = [];

  /**
   * @param {object} parts
   * @param {HTMLSelectElement} parts.select with one option already: the server's default, its value empty
   * @param {HTMLElement} parts.about
   * @param {HTMLFieldSetElement} parts.fieldset
   */
  constructor({ select, about, fieldset }) {
    this.select = select;
    this.about = about;
    this.fieldset = fieldset;
    select.addEventListener("change", () => this.#chosen());
  }

  /** @param {ProcessorInfo[]} processors */
  offer(processors) {
    if (JSON.stringify(processors) === JSON.stringify(this.#processors)) return;
    this.#processors = processors;
    const before = this.select.value;
    const options = processors.map(({ name, title }) => h("option", { value: name }, title || name));
    this.select.replaceChildren(...[...this.select.options].filter((one) => one.value === ""), ...options);
    this.select.value = processors.some(({ name }) => name === before) ? before : (this.select.options[0]?.value ?? "");
    this.#chosen();
  }

  /**
   * Choose one, with parameters that are not the defaults.
   *
   * @param {string} name
   * @param {Record<string, unknown>} params
   */
  choose(name, params) {
    if (!this.#processors.some((one) => one.name === name)) return;
    this.select.value = name;
    this.#chosen();
    for (const { field, control } of this.#fields) {
      if (!(field.name in params)) continue;
      const text = initialText({ ...field, initial: params[field.name] });
      if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = text === "true";
      else control.value = text;
    }
  }

  /**
   * @returns {{processor?: string, params?: Record<string, unknown>} | null} null where a field is wrong; it says so and
   *   has the focus
   */
  read() {
    const processor = this.select.value;
    if (!processor) return {};
    /** @type {Record<string, unknown>} */
    const params = {};
    /** @type {HTMLElement | null} */
    let wrong = null;
    for (const { field, control, error } of this.#fields) {
      const message = this.#take(field, control, params);
      error.textContent = message;
      control.setAttribute("aria-invalid", String(message !== ""));
      if (message) wrong ??= control;
    }
    wrong?.focus();
    return wrong ? null : { processor, params };
  }

  /**
   * @param {Field} field
   * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
   * @param {Record<string, unknown>} params
   * @returns {string} what is wrong, or nothing
   */
  #take(field, control, params) {
    const isCheck = control instanceof HTMLInputElement && control.type === "checkbox";
    try {
      const value = valueOf(field, isCheck ? String(control.checked) : control.value);
      if (value !== undefined) params[field.name] = value;
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #chosen() {
    const processor = this.#processors.find(({ name }) => name === this.select.value);
    const takes = processor && !processor.accepts.includes("*/*") ? `Takes ${listed(processor.accepts)}.` : "";
    this.about.textContent = processor ? [processor.description, takes].filter(Boolean).join(" ") : "";
    const fields = processor ? fieldsOf(processor.params) : [];
    this.fieldset.hidden = fields.length === 0;
    this.#fields = fields.map((field) => ({ field, control: drawControl(field), error: h("p", { class: "hint wrong", role: "alert" }) }));
    const legend = h("legend", {}, processor ? `Options of ${processor.title || processor.name}` : "");
    this.fieldset.replaceChildren(legend, ...this.#fields.map(drawField));
  }
}

/** @param {string[]} types */
function listed(types) {
  const more = types.length - SHOWN_TYPES;
  return more > 1 ? `${types.slice(0, SHOWN_TYPES).join(", ")} and ${more} more types` : types.join(", ");
}

/** @param {{field: Field, control: HTMLElement, error: HTMLElement}} parts */
function drawField({ field, control, error }) {
  const id = `option-${(made += 1)}`;
  control.id = id;
  error.id = `${id}-error`;
  const hint = field.help ? h("p", { class: "hint", id: `${id}-hint` }, field.help) : null;
  control.setAttribute("aria-describedby", hint ? `${id}-hint ${error.id}` : error.id);
  if (field.kind === "boolean") {
    return h("div", { class: "field" }, h("div", { class: "check" }, control, h("label", { for: id }, field.label)), hint, error);
  }
  return h("div", { class: "field" }, h("label", { for: id }, field.label), control, hint, error);
}

/** @param {Field} field */
function drawControl(field) {
  const value = initialText(field);
  const required = field.required && field.kind !== "text";
  switch (field.kind) {
    case "boolean":
      return h("input", { type: "checkbox", checked: value === "true" });
    case "choice": {
      const options = field.choices.map((one, at) => h("option", { value: at }, scalarText(/** @type {string} */ (one))));
      const select = h("select", {}, ...options);
      select.value = value;
      return select;
    }
    case "integer":
    case "number": {
      const step = field.kind === "integer" ? 1 : "any";
      return h("input", { type: "number", value, required, min: field.min, max: field.max, step });
    }
    case "json":
      return h("textarea", { rows: 3, spellcheck: "false", required }, value);
    default:
      return h("input", { type: field.kind === "date" ? "date" : "text", value, required });
  }
}
