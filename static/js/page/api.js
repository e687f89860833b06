// @ts-check
/**
 * The HTTP API (docs/protocol.md): what a page asks once, before the socket tells it the rest.
 *
 * @param {string} path under /api/v1/
 * @returns {Promise<any>} null where the server does not answer or does not allow it
 */
export async function ask(path) {
  try {
    const answer = await fetch(`/api/v1/${path}`, { headers: { accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
