/* Shapes of the wire (docs/protocol.md). For the type checker only; no browser loads this file. */

export interface Limits {
  chunk_bytes: number;
  window_bytes: number;
  upload_bytes: number;
  open_uploads: number;
  subscriptions: number;
  name_bytes: number;
  key_bytes: number;
}

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

export interface ProcessorInfo {
  name: string;
  title: string;
  description: string;
  accepts: string[];
  streaming: boolean;
  params: Schema;
}

export interface Welcome {
  type: "welcome";
  version: number;
  user: string | null;
  extensions: string[];
  limits: Limits;
  processors: ProcessorInfo[];
  heartbeat_seconds: number;
}

/** Any message of the server: a type, and fields by type. */
export type Message = { type: string } & Record<string, any>;

export interface Artifact {
  id?: string;
  name: string;
  content_type: string;
  size: number;
  url: string;
}

export interface Progress {
  done: number;
  total?: number | null;
  unit?: string;
  message?: string;
}

export interface LogLine {
  at: string | null;
  level: string;
  message: string;
}

export interface Moment {
  event: string;
  at: string | null;
  attempt: number;
  text: string;
}

export type JobStateName = "queued" | "running" | "succeeded" | "failed" | "cancelled";

/** One job as the client knows it: `job.state` and the events after it, put together by job.js. */
export interface Job {
  id: string;
  upload: string | null;
  processor: string;
  params: Record<string, unknown>;
  state: JobStateName;
  attempt: number;
  progress: Progress | null;
  partial: unknown;
  result: unknown;
  resultUrl: string | null;
  error: { code: string; message: string; traceback?: string } | null;
  artifacts: Artifact[];
  logs: LogLine[];
  logsDropped: number;
  moments: Moment[];
  ahead: number | null;
  retryOf: string | null;
  cancelRequested: boolean;
  name: string;
  size: number | null;
  contentType: string;
  createdAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  /** The newest durable event applied. */
  seen: number;
  /** The seq of the newest job.state: what is below it is history. */
  known: number;
}

export interface ConnectOptions {
  /** ws:, wss:, http: or https: address of the endpoint; by default /ws of this page's origin. */
  url?: string;
  /** An API token, sent as `auth` after the first welcome. */
  token?: string;
  /** For tests: what makes a socket. */
  socket?: (url: string, protocols: string[]) => WebSocket;
}

export interface UploadOptions {
  processor?: string;
  params?: Record<string, unknown>;
  /** Makes opening it twice harmless, for one owner. */
  key?: string;
  /** Hexadecimal digest of the whole file, checked by the server. */
  sha256?: string;
  /** A checksum per chunk. */
  checksum?: "crc32";
  /** Go on with this one, begun earlier. */
  upload?: string;
  /** The capability for `upload`, where nobody owns it. */
  token?: string;
}

export type UploadState =
  | "waiting"
  | "opening"
  | "sending"
  | "paused"
  | "offline"
  | "finishing"
  | "stored"
  | "failed"
  | "aborted";
