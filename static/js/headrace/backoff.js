// @ts-check
const FIRST = 500;
const LONGEST = 15_000;

/**
 * How long to wait before trying again: doubling, and a random half of it so that a thousand clients do not come at once.
 *
 * @param {number} attempt 0 for the first
 * @param {() => number} [random] 0..1
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  const most = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 10));
  return Math.round(most / 2 + (random() * most) / 2);
}
