// @ts-check
/** @typedef {import("./types.d.ts").Message} Message */

/** What a client reads (docs/protocol.md); what a later version adds is ignored. */
const TYPES = new Set([
  "welcome",
  "ping",
  "pong",
  "bye",
  "upload.opened",
  "upload.ack",
  "upload.stored",
  "upload.aborted",
  "upload.deleted",
  "upload.detached",
  "job.event",
  "job.state",
  "error",
]);
const EVENTS = new Set(["queued", "started", "progress", "partial", "log", "retrying", "succeeded", "failed", "cancelled"]);

/**
 * One text frame of the server.
 *
 * @param {string} text
 * @returns {Message | null} null for what must be ignored
 */
export function read(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (!TYPES.has(message?.type)) return null;
  return message.type === "job.event" && !EVENTS.has(message.event) ? null : message;
}
