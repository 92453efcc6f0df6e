// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { AnswerStream } from "../../../src/server/page/answer_stream.js";
import { Server } from "../../../src/server/page/server.js";
import { ServerError } from "../../../src/server/page/server_error.js";
import { bytesOf, textOf, wellFormed } from "../../../src/server/page/text.js";
import { randomNumbers, randomText } from "./random.js";

/** Calls a server whose every reply is `reply`. @param {import("node:test").TestContext} t @param {() => Promise<Response>} reply */
async function call(t, reply, key = "") {
  const fetched = t.mock.method(globalThis, "fetch", reply);
  const server = new Server();
  server.key = key;
  try {
    return { value: await server.post("v1/x", { a: 1 }), sent: fetched.mock.calls[0].arguments[1] };
  } finally {
    fetched.mock.restore();
  }
}

test("a request has the key, where there is one, and its reply is JSON", async (t) => {
  const { value, sent } = await call(t, async () => Response.json({ b: 2 }), "secret");
  assert.deepEqual(value, { b: 2 });
  assert.deepEqual(sent.headers, { "content-type": "application/json", authorization: "Bearer secret" });
  assert.equal(sent.body, '{"a":1}');
  assert.equal("authorization" in (await call(t, async () => Response.json({}))).sent.headers, false);
});

test("what a server refuses is an error with its own words, the request's id and when to come again", async (t) => {
  const headers = { "retry-after": "7", "x-request-id": "req-77" };
  await assert.rejects(call(t, async () => Response.json({ error: { message: "slowly" } }, { status: 429, headers })),
    { status: 429, message: "slowly", retryAfter: "7", request: "req-77" });
  await assert.rejects(call(t, async () => new Response("<html>", { status: 500, statusText: "Oops" })), { status: 500, message: "Oops" });
  await assert.rejects(call(t, async () => new Response("<html>")), { status: 502, message: "The reply is not JSON." });
  await assert.rejects(call(t, async () => { throw new TypeError("failed to fetch"); }), { status: 0 });
  await assert.rejects(call(t, async () => { throw new DOMException("", "AbortError"); }), { name: "AbortError" });
});

test("every error has a title, also one that nobody knows", () => {
  for (const [status, title, advice] of [
    [0, /cannot be reached/, /still runs/], [401, /wants a key/, /Enter the key/], [413, /too long for this server/, /Shorten/],
    [429, /Too many requests/, /in 7 s/], [500, /The server failed/, /in 7 s/], [503, /is busy/, /in 7 s/], [504, /too long/, /in 7 s/],
    [599, /The server failed/, /in 7 s/], [418, /refused the request/, /^$/],
  ]) {
    const words = new ServerError(status, "", { retryAfter: "7" }).words;
    assert.match(words.title, title);
    assert.match(words.advice, advice);
  }
  assert.match(new ServerError(503, "").words.advice, /in a moment/);
});

/** A server that keeps a stream's bytes as the real one does, of one token a byte. */
class ByteServer {
  bytes = new Uint8Array();
  forgotten = "";

  async post(path, body) {
    if (path === "v1/stream") return { id: "s/1" };
    assert.equal(path, "v1/stream/s%2F1");
    const first = body.rewind_to_byte ?? this.bytes.length;
    assert.ok(first <= this.bytes.length);
    this.bytes = Uint8Array.of(...this.bytes.subarray(0, first), ...bytesOf(body.text));
    const tokens = Array.from(this.bytes.subarray(first), (byte, i) => ({ byte, index: first + i, settled: false }));
    return { first, tokens, n_settled: this.bytes.length >> 1, decision: {} };
  }

  forget(id) {
    this.forgotten = id;
  }
}

test("the server has the text that the stream became, whatever it was before, and the tokens are those of that text", async () => {
  const below = randomNumbers(4);
  const server = new ByteServer();
  const stream = new AnswerStream(server, [], "m", new AbortController().signal);
  await stream.open();
  let text = "";
  for (let i = 0; i < 500; ++i) {
    const at = Array.from(text).slice(0, below(8)).join("");
    text = wellFormed(at + randomText(below, 4));
    await stream.become(text);
    assert.equal(textOf(server.bytes), text);
    assert.deepEqual(stream.tokens.map(({ byte }) => byte), [...server.bytes]);
    assert.equal(stream.tokens.findIndex(({ settled }) => !settled), server.bytes.length ? server.bytes.length >> 1 : -1);
  }
  stream.close();
  assert.equal(server.forgotten, "s/1");
});
