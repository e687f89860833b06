// @ts-check
/**
 * One job, put together from `job.state` and `job.event` messages (docs/protocol.md, section 5). Pure: no socket, no page.
 *
 * @typedef {import("./types.d.ts").Message} Message
 * @typedef {import("./types.d.ts").Job} Job
 */

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const LOGS_KEPT = 1000;

/**
 * @param {string} id
 * @returns {Job}
 */
export function newJob(id) {
  return {
    id,
    upload: null,
    processor: "",
    params: {},
    state: "queued",
    attempt: 0,
    progress: null,
    partial: undefined,
    result: undefined,
    resultUrl: null,
    error: null,
    artifacts: [],
    logs: [],
    logsDropped: 0,
    moments: [],
    ahead: null,
    retryOf: null,
    cancelRequested: false,
    name: "",
    size: null,
    contentType: "",
    createdAt: null,
    startedAt: null,
    finishedAt: null,
    seen: 0,
    known: 0,
  };
}

/** @param {Job} job */
export const isFinal = (job) => FINAL.has(job.state);

/**
 * Take a `job.state` in, unless it is older than what is known. It never moves `seen`: its events may still come.
 *
 * @param {Job} job
 * @param {Message} message
 */
export function applyState(job, message) {
  if (message.seq < Math.max(job.known, job.seen) || (isFinal(job) && !FINAL.has(message.state))) return;
  job.known = message.seq;
  job.upload = message.upload ?? job.upload;
  job.processor = message.processor ?? job.processor;
  job.params = message.params ?? job.params;
  job.state = message.state;
  job.attempt = Math.max(job.attempt, message.attempt);
  job.progress = message.progress ?? null;
  if (message.state === "succeeded") job.result = message.result;
  job.resultUrl = message.result_url ?? null;
  job.error = message.error ?? null;
  job.artifacts = message.artifacts ?? [];
  job.ahead = message.ahead ?? null;
  job.retryOf = message.retry_of ?? null;
  job.cancelRequested = Boolean(message.cancel_requested);
  job.name = message.name ?? job.name;
  job.size = message.size ?? job.size;
  job.contentType = message.content_type ?? job.contentType;
  job.createdAt = message.created_at ?? job.createdAt;
  job.startedAt = message.started_at ?? job.startedAt;
  job.finishedAt = message.finished_at ?? job.finishedAt;
}

/**
 * Take a `job.event` in.
 *
 * @param {Job} job
 * @param {Message} message
 * @returns {boolean} whether it was news: false for one seen before, and for the progress of an older attempt
 */
export function applyEvent(job, message) {
  if (message.event === "progress") return applyProgress(job, message);
  if (message.seq <= job.seen) return false;
  job.seen = message.seq;
  remember(job, message);
  if (message.seq > job.known) moveOn(job, message);
  return true;
}

/**
 * @param {Job} job
 * @param {Message} message
 */
function applyProgress(job, message) {
  if (isFinal(job) || message.attempt < job.attempt) return false;
  const { done, total = null, unit = "", message: words = "" } = message;
  job.state = "running";
  job.attempt = message.attempt;
  job.progress = { done, total, unit, message: words };
  return true;
}

/**
 * What history shows, however old: logs, the newest partial, moments.
 *
 * @param {Job} job
 * @param {Message} message
 */
function remember(job, message) {
  const at = message.at ?? null;
  if (message.event === "log") {
    job.logs.push({ at, level: message.level ?? "info", message: message.message ?? "" });
    if (job.logs.length > LOGS_KEPT) job.logsDropped += job.logs.splice(0, job.logs.length - LOGS_KEPT).length;
  } else if (message.event === "partial") {
    job.partial = message.data;
  } else {
    const text = message.reason ?? message.error?.message ?? "";
    job.moments.push({ event: message.event, at, attempt: message.attempt ?? 0, text });
  }
}

/**
 * What changes the job's state, where the newest job.state does not know it yet.
 *
 * @param {Job} job
 * @param {Message} message
 */
function moveOn(job, message) {
  if (isFinal(job)) return;
  const at = message.at ?? null;
  job.attempt = Math.max(job.attempt, message.attempt ?? 0);
  switch (message.event) {
    case "queued":
      job.createdAt ??= at;
      break;
    case "started":
      job.state = "running";
      job.ahead = null;
      job.startedAt = at;
      job.progress = null;
      break;
    case "retrying":
      job.state = "queued";
      job.progress = null;
      break;
    case "succeeded":
    case "failed":
    case "cancelled":
      end(job, message, at);
      break;
    default:
  }
}

/**
 * @param {Job} job
 * @param {Message} message
 * @param {string | null} at
 */
function end(job, message, at) {
  job.state = message.event;
  job.finishedAt = at;
  job.error = message.error ?? null;
  if (message.event !== "succeeded") return;
  job.result = message.result;
  job.resultUrl = message.result_url ?? null;
  job.artifacts = message.artifacts ?? [];
}
