// @ts-check
/**
 * The HTTP API (docs/protocol.md): what a page asks once, before the socket tells it the rest.
 *
 * @param {string} path under /api/v1/
 * @param {string | null} [token] the capability for an upload that nobody owns
 * @returns {Promise<any>} null where the server does not answer or does not allow it
 */
export async function ask(path, token = null) {
  try {
    const headers = { accept: "application/json", ...(token ? { "x-upload-token": token } : {}) };
    const answer = await fetch(`/api/v1/${path}`, { headers });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
