// @ts-check
import { h } from "./dom.js";
import { bytes, safeName } from "./format.js";
import { addressOf, inline, isPicture } from "./thumbnail.js";

/** @typedef {import("../headrace/types.d.ts").Artifact} Artifact */

/**
 * What a job has made: pictures to look at, everything to download.
 *
 * @param {Artifact[]} artifacts
 * @param {string} [of] the file they were made from, for the pictures' text
 * @param {string | null} [token] the capability that opens them, where nobody owns them
 * @returns {Node[]}
 */
export function drawArtifacts(artifacts, of = "", token = null) {
  const pictures = artifacts.filter((one) => isPicture(one.content_type));
  const others = artifacts.filter((one) => !isPicture(one.content_type));
  return [
    ...(pictures.length > 0 ? [h("div", { class: "pictures" }, ...pictures.map((one) => picture(one, of, token)))] : []),
    ...(others.length > 0 ? [h("ul", { class: "downloads" }, ...others.map((one) => h("li", {}, ...link(one, token))))] : []),
  ];
}

/**
 * @param {Artifact} artifact
 * @param {string} of
 * @param {string | null} token
 */
function picture(artifact, of, token) {
  const alt = of ? `${safeName(artifact.name)}, made from ${safeName(of)}` : safeName(artifact.name);
  const image = h("img", { src: inline(artifact.url, token), alt, loading: "lazy", decoding: "async" });
  return h("figure", {}, image, h("figcaption", {}, ...link(artifact, token)));
}

/**
 * @param {Artifact} artifact
 * @param {string | null} token
 */
function link({ name, size, url }, token) {
  const shown = safeName(name);
  const address = addressOf(url, token);
  // Only the server's own addresses: a processor cannot make a link of another kind.
  const href = address.origin === location.origin ? address.href : "#";
  return [h("a", { href, download: name }, h("bdi", {}, shown)), h("span", { class: "muted small" }, bytes(size))];
}
