// @ts-check
import { h } from "./dom.js";
import { bytes, safeName } from "./format.js";
import { inline, isPicture } from "./thumbnail.js";

/** @typedef {import("../headrace/types.d.ts").Artifact} Artifact */

/**
 * What a job has made: pictures to look at, everything to download.
 *
 * @param {Artifact[]} artifacts
 * @param {string} [of] the file they were made from, for the pictures' text
 * @returns {Node[]}
 */
export function drawArtifacts(artifacts, of = "") {
  const pictures = artifacts.filter((one) => isPicture(one.content_type));
  const others = artifacts.filter((one) => !isPicture(one.content_type));
  return [
    ...(pictures.length > 0 ? [h("div", { class: "pictures" }, ...pictures.map((one) => picture(one, of)))] : []),
    ...(others.length > 0 ? [h("ul", { class: "downloads" }, ...others.map((one) => h("li", {}, ...link(one))))] : []),
  ];
}

/**
 * @param {Artifact} artifact
 * @param {string} of
 */
function picture(artifact, of) {
  const alt = of ? `${safeName(artifact.name)}, made from ${safeName(of)}` : safeName(artifact.name);
  const image = h("img", { src: inline(artifact.url), alt, loading: "lazy", decoding: "async" });
  return h("figure", {}, image, h("figcaption", {}, ...link(artifact)));
}

/** @param {Artifact} artifact */
function link({ name, size, url }) {
  const shown = safeName(name);
  const address = new URL(url, location.href);
  // Only the server's own addresses: a processor cannot make a link of another kind.
  const href = address.origin === location.origin ? address.href : "#";
  return [h("a", { href, download: name }, h("bdi", {}, shown)), h("span", { class: "muted small" }, bytes(size))];
}
