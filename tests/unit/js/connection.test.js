import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../../../static/js/headrace/backoff.js";
import { FakeClock, fakeConnection } from "./fakes.js";

test("backoff doubles up to 15 s, and half of it is chance", () => {
  assert.deepEqual([0, 1, 2, 3].map((n) => backoff(n, () => 1)), [500, 1000, 2000, 4000]);
  assert.deepEqual([0, 1, 2, 3].map((n) => backoff(n, () => 0)), [250, 500, 1000, 2000]);
  assert.equal(backoff(50, () => 1), 15_000);
});

test("a ping of the server is answered", () => {
  const { connection, newest } = fakeConnection();
  newest().welcome();
  newest().say({ type: "ping", id: "seven" });
  assert.deepEqual(newest().sent("pong"), [{ type: "pong", id: "seven" }]);
  connection.close();
});

test("with a token it says who it is, and is open after the second welcome", () => {
  const { connection, newest } = fakeConnection({ token: "t0ken" });
  newest().welcome();
  assert.equal(connection.state, "connecting");
  assert.deepEqual(newest().messages, [{ type: "auth", token: "t0ken" }]);
  newest().welcome({ user: "ada" });
  assert.equal(connection.state, "open");
  assert.equal(connection.welcome.user, "ada");
  connection.close();
});

test("it comes back by itself, later each time", () => {
  const clock = new FakeClock();
  try {
    const { connection, newest, sockets } = fakeConnection();
    for (let n = 1; n <= 4; n += 1) {
      newest().break();
      assert.equal(connection.state, "waiting");
      clock.tick(15_000);
      assert.equal(sockets.length, n + 1);
      assert.equal(connection.state, "connecting");
    }
    connection.close();
  } finally {
    clock.reset();
  }
});

test("bye says when to come back", () => {
  const { connection, newest } = fakeConnection();
  newest().welcome();
  newest().say({ type: "bye", reason: "restart", retry_after_seconds: 60 });
  newest().break(1012);
  assert.ok(connection.retryAt >= Date.now() + 59_000);
  connection.close();
});

for (const code of [4401, 4403]) {
  test(`after ${code} it stays away`, () => {
    const { connection, newest } = fakeConnection();
    newest().welcome();
    newest().break(code);
    assert.equal(connection.state, "closed");
    assert.equal(connection.closeCode, code);
  });
}

test("a server that answers nothing for two heartbeats is gone", () => {
  const clock = new FakeClock();
  try {
    const { connection, newest } = fakeConnection();
    newest().welcome();
    clock.tick(26_000);
    assert.equal(newest().sent("ping").length, 1, "it asks first");
    clock.tick(20_000);
    assert.notEqual(connection.state, "open");
    connection.close();
  } finally {
    clock.reset();
  }
});

test("a listener that throws does not stop the others", () => {
  const { connection, newest } = fakeConnection();
  const heard = [];
  globalThis.reportError = (error) => heard.push(error.message);
  connection.on("open", () => {
    throw new Error("mine");
  });
  connection.on("open", () => heard.push("second"));
  newest().welcome();
  connection.close();
  delete globalThis.reportError;
  assert.deepEqual(heard, ["mine", "second"]);
});

test("nothing is sent while the connection is away", () => {
  const { connection, newest } = fakeConnection();
  assert.equal(connection.send({ type: "ping" }), false);
  newest().welcome();
  assert.equal(connection.send({ type: "ping" }), true);
  connection.close();
});
