// @ts-check
import { h, s } from "./dom.js";
import { number } from "./format.js";

/** @typedef {import("./shape.js").Bin} Bin */

const WIDTH = 320;
const HEIGHT = 48;

/**
 * A small bar chart, with its numbers in words for those who do not see it.
 *
 * @param {Bin[]} bins
 * @param {string} label
 * @param {boolean} [small] in a table's cell: without the ends of its scale
 */
export function histogram(bins, label, small = false) {
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const step = WIDTH / bins.length;
  const bars = bins.map((bin, at) => {
    const height = bin.count > 0 ? Math.max(2, (bin.count / most) * (HEIGHT - 2)) : 0;
    const box = { x: at * step + 1, y: HEIGHT - 1 - height, width: Math.max(1, step - 2), height, rx: 1 };
    return s("rect", box, s("title", {}, `${range(bin)}: ${number(bin.count)}`));
  });
  const ground = s("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  const shape = { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" };
  const chart = s("svg", { ...shape, "aria-label": `${label}: ${inWords(bins)}` }, ground, ...bars);
  if (small) return h("div", {}, chart);
  const ends = h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, end(bins[0].from)), h("span", {}, end(bins[bins.length - 1].to)));
  return h("div", {}, chart, ends);
}

/** @param {unknown} value */
const end = (value) => (typeof value === "number" ? number(value) : String(value));

/** @param {Bin} bin */
const range = (bin) => `${end(bin.from)} to ${end(bin.to)}`;

/** @param {Bin[]} bins */
export function inWords(bins) {
  const told = bins.slice(0, 24).map((bin) => `${range(bin)}: ${number(bin.count)}`);
  return `bar chart; ${told.join("; ")}${bins.length > 24 ? `; and ${bins.length - 24} more bars` : ""}`;
}
