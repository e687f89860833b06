// @ts-check
import { h } from "./dom.js";

/** @typedef {import("./item.js").Item} Item */

const SHOWN = /^image\/(avif|gif|jpeg|png|webp)$/;
const LARGEST = 20_000_000;

/** @type {WeakMap<HTMLElement, string>} */
const done = new WeakMap();

/**
 * Put a picture in the place of a file's kind, once: the chosen file's own, else the smallest that its job has made.
 *
 * @param {Item} item
 * @param {HTMLElement} place
 */
export function thumbnail(item, place) {
  const address = source(item, done.get(place));
  if (!address) return;
  done.set(place, address);
  const picture = h("img", { alt: "", width: 40, height: 40, decoding: "async", src: address });
  const forget = () => address.startsWith("blob:") && URL.revokeObjectURL(address);
  picture.addEventListener("load", () => (place.replaceChildren(picture), forget()));
  picture.addEventListener("error", forget);
}

/**
 * @param {Item} item
 * @param {string} [before] what is shown already
 */
function source(item, before) {
  if (before) return "";
  const { file, job } = item;
  if (file && SHOWN.test(file.type) && file.size > 0 && file.size < LARGEST) return URL.createObjectURL(file);
  const pictures = (job?.artifacts ?? []).filter((one) => SHOWN.test(one.content_type) && one.size < 1_000_000);
  const [smallest] = pictures.sort((a, b) => a.size - b.size);
  return smallest ? inline(smallest.url, item.token) : "";
}

/**
 * @param {string} url of an artifact
 * @param {string | null} token the capability that opens it, where nobody owns it
 */
export function addressOf(url, token) {
  const full = new URL(url, location.href);
  if (token) full.searchParams.set("token", token);
  return full;
}

/**
 * The address under which an artifact that is a picture may be shown.
 *
 * @param {string} url
 * @param {string | null} token
 */
export function inline(url, token) {
  const full = addressOf(url, token);
  full.searchParams.set("inline", "1");
  return full.href;
}

/** @param {string} type */
export const isPicture = (type) => SHOWN.test(type);
