// @ts-check
import { h } from "./dom.js";

/** @typedef {import("../headrace/connection.js").Connection} Connection */

/**
 * A page with an open socket cannot be kept for the back button; close it when leaving, open it when coming back.
 *
 * @param {Connection} connection
 */
export function sleepInBackForwardCache(connection) {
  addEventListener("pagehide", () => connection.close());
  addEventListener("pageshow", (event) => event.persisted && connection.open());
}

/**
 * Say so where the server does not want this session any more: waiting would not help.
 *
 * @param {Connection} connection
 * @param {HTMLElement} place
 */
export function whenSessionEnds(connection, place) {
  connection.on("state", (state) => {
    const ended = state === "closed" && connection.closeCode !== 1000;
    place.hidden = !ended;
    if (!ended) return;
    const login = h("a", { href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}` }, "Log in again");
    place.replaceChildren(h("b", {}, "Your session has ended."), " ", login, " to go on. What was uploaded is kept.");
  });
}
