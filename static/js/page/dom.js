// @ts-check
const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element. Data only ever becomes text or an attribute, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props] `on…` are listeners, booleans set or leave out an attribute, the rest are attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...wanted(children));
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, props);
  element.append(...wanted(children));
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} props
 */
function set(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
}

/** @param {Child[]} children */
function wanted(children) {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Change a text only where it is another: what stands still makes no work and no announcement.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * How far a bar has come.
 *
 * @param {HTMLElement} bar
 * @param {number} part 0..1
 */
export function setBar(bar, part) {
  bar.style.translate = `${((part - 1) * 100).toFixed(1)}%`;
}

/**
 * The element with this id, which the page's template has.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}`);
  return element;
}

const ICONS = {
  pause: "M8 5v14M16 5v14",
  play: "M8 5l11 7-11 7z",
  cross: "M6 6l12 12M18 6L6 18",
};

/**
 * @param {keyof typeof ICONS} name
 * @param {string} label what it does, and to what
 * @param {() => void} act
 */
export function iconButton(name, label, act) {
  const drawing = s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
  return h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick: act }, drawing);
}

/**
 * @param {string} text
 * @param {() => void} act
 * @param {string} [kind] primary, danger or plain
 */
export function button(text, act, kind = "") {
  return h("button", { type: "button", class: `button ${kind}`.trim(), onclick: act }, text);
}
