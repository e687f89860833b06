import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Upload } from "../../../static/js/headrace/upload.js";
import { FakeServer, fakeConnection, fileOf, settle } from "./fakes.js";

/** @type {Array<() => void>} */
const ends = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

function begin(size, options = {}) {
  const { connection, newest, sockets } = fakeConnection();
  ends.push(() => connection.close());
  const server = new FakeServer();
  const file = fileOf(size);
  const upload = new Upload(connection, file, options);
  server.serve(newest());
  return { connection, newest, sockets, server, file, upload };
}

/** Wait for a state, or fail after a second. */
async function until(upload, state) {
  for (let n = 0; n < 200 && upload.state !== state; n += 1) await settle(5);
  assert.equal(upload.state, state, JSON.stringify(upload.error));
}

function assertWhole(server, file, id = "u1") {
  assert.deepEqual(server.faults, []);
  assert.deepEqual(Uint8Array.from(server.uploads.get(id).bytes), file.bytes);
}

test("a file arrives whole, never past the edge, and its job is known", async () => {
  const { upload, newest, server, file } = begin(25_500, { processor: "slow", params: { steps: 2 }, key: "k" });
  upload.start();
  newest().welcome();
  await until(upload, "stored");
  assertWhole(server, file);
  assert.equal(upload.job, "job-u1");
  assert.equal(upload.offset, 25_500);
  const [open] = newest().sent("upload.open");
  const { ref, ...fields } = open;
  assert.deepEqual(fields, {
    type: "upload.open",
    name: "a.bin",
    size: 25_500,
    content_type: "application/octet-stream",
    modified: "2023-11-14T22:13:20.000Z",
    processor: "slow",
    params: { steps: 2 },
    key: "k",
  });
});

test("an empty file", async () => {
  const { upload, newest, server, file } = begin(0);
  upload.start();
  newest().welcome();
  await until(upload, "stored");
  assertWhole(server, file);
  assert.equal(newest().frames.length, 0);
});

test("with a checksum on every frame", async () => {
  const { upload, newest, server, file } = begin(5000, { checksum: "crc32" });
  upload.start();
  newest().welcome();
  await until(upload, "stored");
  assertWhole(server, file);
});

test("it waits at the edge until the server moves it", async () => {
  const { upload, newest, server } = begin(20_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  assert.equal(server.uploads.get("u1").bytes.length, 4000);
  assert.equal(upload.state, "sending");
  assert.equal(upload.offset, 0, "nothing is acked, so nothing counts");
});

test("it does not fill the browser's own buffer", async () => {
  const { upload, newest, server } = begin(20_000);
  const socket = newest();
  server.window = 100_000;
  Object.defineProperty(socket, "bufferedAmount", { get: () => socket.frames.length * 1000 * 500 });
  upload.start();
  socket.welcome();
  await settle(40);
  assert.ok(socket.frames.length <= 3, `${socket.frames.length} frames`);
});

test("after a dropped connection it goes on from what the server has", async () => {
  const { upload, newest, server, file, connection, sockets } = begin(20_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  newest().break();
  assert.equal(upload.state, "offline");
  assert.equal(connection.state, "waiting");
  assert.ok(connection.retryAt > Date.now());
  server.silent = false;
  connection.retryNow();
  server.serve(newest());
  newest().welcome();
  await until(upload, "stored");
  assertWhole(server, file);
  assert.equal(sockets.length, 2);
  const [resume] = newest().sent("upload.resume");
  assert.equal(resume.upload, "u1");
  assert.equal(resume.token, "t");
  assert.equal(newest().sent("upload.open").length, 0);
  assert.equal(newest().frames.length, 16, "the 4,000 bytes that were stored are not sent again");
});

test("dropped between the last byte and its end: stored all the same", async () => {
  const { upload, newest, server, connection } = begin(1000);
  const first = newest();
  upload.start();
  first.welcome();
  first.onmessage = null;
  await settle(60);
  first.break();
  for (const one of server.uploads.values()) one.state = "stored";
  connection.retryNow();
  server.serve(newest());
  newest().welcome();
  await settle(60);
  assert.equal(upload.state, "stored");
});

test("bad_offset: it goes back to where the server is", async () => {
  const { upload, newest, server, file } = begin(12_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  server.silent = false;
  const { ref } = newest().sent("upload.open")[0];
  server.uploads.get("u1").bytes.length = 1000;
  newest().say({ type: "error", ref, code: "bad_offset", message: "", ended: false, expected: 1000 });
  await until(upload, "stored");
  assertWhole(server, file);
});

test("pause stops it, start goes on", async () => {
  const { upload, newest, server, file } = begin(40_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  upload.pause();
  server.silent = false;
  const { ref } = newest().sent("upload.open")[0];
  newest().say({ type: "upload.ack", ref, offset: 4000, window: 0 });
  await settle(40);
  assert.equal(upload.state, "paused");
  assert.equal(upload.offset, 4000);
  assert.equal(server.uploads.get("u1").bytes.length, 4000);
  newest().say({ type: "upload.ack", ref, offset: 4000, window: 4000 });
  server.grant(4000);
  await settle(40);
  assert.equal(server.uploads.get("u1").bytes.length, 4000, "room alone does not start it");
  upload.start();
  await until(upload, "stored");
  assertWhole(server, file);
});

test("pause before the server has answered does not finish an upload that is not open", async () => {
  const { upload, newest, server, file } = begin(0);
  upload.start();
  const socket = newest();
  const serve = socket.onText;
  socket.onText = () => {};
  socket.welcome();
  upload.pause();
  upload.start();
  await settle();
  assert.equal(socket.sent("upload.finish").length, 0);
  socket.onText = serve;
  serve(socket.sent("upload.open")[0]);
  await until(upload, "stored");
  assertWhole(server, file);
});

test("abort tells the server", async () => {
  const { upload, newest, server } = begin(40_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  upload.abort();
  assert.ok(upload.aborting);
  await settle();
  assert.equal(upload.state, "aborted");
  assert.equal(server.uploads.get("u1").state, "aborted");
});

test("abort while it is being opened waits for the answer", async () => {
  const { upload, newest, server } = begin(40_000);
  upload.start();
  newest().welcome();
  upload.abort();
  assert.ok(upload.aborting);
  await settle();
  assert.equal(upload.state, "aborted");
  assert.equal(server.uploads.get("u1").state, "aborted");
});

test("abort while the connection is away is told later", async () => {
  const { upload, newest, server, connection } = begin(40_000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(60);
  newest().break();
  upload.abort();
  connection.retryNow();
  server.serve(newest());
  newest().welcome();
  await settle();
  assert.equal(upload.state, "aborted");
  assert.equal(server.uploads.get("u1").state, "aborted");
});

test("abort of an upload that was begun elsewhere, without its file", async () => {
  const { connection, newest, server } = begin(0);
  server.uploads.set("old", { bytes: [1, 2], size: 9, state: "receiving", options: {} });
  const upload = new Upload(connection, fileOf(0), { upload: "old" });
  newest().welcome();
  upload.abort();
  await settle();
  assert.equal(server.uploads.get("old").state, "aborted");
});

test("an error that ends it is its reason", async () => {
  const { upload, newest } = begin(100);
  const socket = newest();
  socket.onText = ({ ref, type }) => {
    if (type === "upload.open") socket.say({ type: "error", ref, code: "type_rejected", message: "No.", retryable: false, ended: true });
  };
  upload.start();
  socket.welcome();
  await settle();
  assert.equal(upload.state, "failed");
  assert.deepEqual(upload.error, { code: "type_rejected", message: "No.", retryable: false });
});

test("storage_full: it waits, and tries again by itself", async () => {
  const { upload, newest, server, file } = begin(9000);
  const socket = newest();
  server.silent = true;
  upload.start();
  socket.welcome();
  await settle(40);
  const ref = socket.sent("upload.open")[0].ref;
  server.silent = false;
  socket.say({ type: "upload.detached", ref, reason: "storage_full", retry_after_seconds: 0.01 });
  assert.equal(upload.state, "offline");
  assert.equal(upload.detached, "storage_full");
  await new Promise((resolve) => setTimeout(resolve, 30));
  await until(upload, "stored");
  assertWhole(server, file);
});

test("taken over by another window: it does not fight", async () => {
  const { upload, newest, server } = begin(9000);
  server.silent = true;
  upload.start();
  newest().welcome();
  await settle(40);
  newest().say({ type: "upload.detached", ref: newest().sent("upload.open")[0].ref, reason: "taken_over" });
  await settle();
  assert.equal(upload.state, "paused");
  assert.equal(newest().sent("upload.resume").length, 0);
});

test("a file that has shrunk under it fails with a sentence", async () => {
  const { connection, newest, server } = begin(0);
  const file = Object.assign(new Blob(["short"]), { name: "a", lastModified: 0 });
  const upload = new Upload(connection, new Proxy(file, { get: (target, key) => (key === "size" ? 5000 : key === "slice" ? target.slice.bind(target) : target[key]) }));
  upload.start();
  newest().welcome();
  await settle(40);
  assert.equal(upload.state, "failed");
  assert.equal(upload.error.code, "unreadable");
  assert.equal(server.uploads.get("u1").state, "aborted");
});
