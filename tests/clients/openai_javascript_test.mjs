// SPDX-License-Identifier: Apache-2.0
// OpenAI's client for JavaScript against servers that openai_javascript_test.py has started; Q3G_SERVERS names them, and
// Q3G_CLIENT_MODULES the folder with the client.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const OpenAI = createRequire(`${process.env.Q3G_CLIENT_MODULES}/`)("openai");
const { urls, key, harmless, harmful, denied, goodAnswer } = JSON.parse(process.env.Q3G_SERVERS);

const clientOf = (url, options = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, ...options });
const client = clientOf(urls.open);
const user = (content) => [{ role: "user", content }];
// A text that takes a while: for clients that do not wait for the answer.
const longTexts = Array.from({ length: 40 }, (_, i) => `${i} ${"word and ".repeat(400)}`);

async function contentOf(stream) {
  let content = "", reason = null;
  for await (const chunk of stream) {
    content += chunk.choices[0]?.delta?.content ?? "";
    reason = chunk.choices[0]?.finish_reason ?? reason;
  }
  return { content, reason };
}

test("moderations", async () => {
  const { results: [result] } = await client.moderations.create({ input: harmful });
  assert.equal(result.flagged, true);
  assert.equal(result.categories["illicit/violent"], true);
  assert.equal(result.categories.sexual, false);
  assert.ok(result.category_scores.violence > 0.5);
  assert.equal(result.qwen3guard.severity, "Unsafe");
});

test("moderations of an array", async () => {
  const { results } = await client.moderations.create({ input: [harmless, harmful, harmless], model: "omni-moderation-latest" });
  assert.deepEqual(results.map((result) => result.flagged), [false, true, false]);
});

test("chat", async () => {
  const answer = await client.chat.completions.create({ model: "nano-gen", messages: user(harmful), logprobs: true, top_logprobs: 2 });
  const [choice] = answer.choices;
  assert.equal(choice.message.content, "Safety: Unsafe\nCategories: Violent");
  assert.equal(choice.logprobs.content.map((token) => token.token).join(""), choice.message.content);
  assert.ok(answer._request_id);
});

test("streamed chat", async () => {
  const messages = [...user(harmful), { role: "assistant", content: "No, I can't help with that." }];
  const plain = await client.chat.completions.create({ model: "nano-gen", messages });
  const stream = await client.chat.completions.create({ model: "nano-gen", messages, stream: true });
  assert.deepEqual(await contentOf(stream), { content: plain.choices[0].message.content, reason: "stop" });
});

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ["nano-gen", "nano-stream"]);
});

test("errors are the client's own", async () => {
  await assert.rejects(client.moderations.create({ input: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === "input[0]");
  await assert.rejects(client.chat.completions.create({ model: "gpt-4o", messages: user("Hello") }),
    (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(clientOf(urls.keyed, { apiKey: "wrong" }).models.list(),
    (error) => error instanceof OpenAI.AuthenticationError && error.code === "invalid_api_key" && Boolean(error.requestID));
  assert.equal((await clientOf(urls.keyed, { apiKey: key }).models.list()).data.length, 1);
  const busy = clientOf(urls.busy);
  await assert.rejects(async () => {
    for (let i = 0; i < 2; ++i) await busy.post("/stream", { body: {} }); // there is room for one stream
  }, OpenAI.RateLimitError);
});

test("a client that does not wait", async () => {
  await assert.rejects(client.moderations.create({ input: longTexts }, { timeout: 50 }), OpenAI.APIConnectionTimeoutError);
  const abort = new AbortController();
  const asked = client.moderations.create({ input: longTexts }, { signal: abort.signal });
  setTimeout(() => abort.abort(), 50);
  await assert.rejects(asked, OpenAI.APIUserAbortError);
  assert.equal((await client.moderations.create({ input: harmless })).results[0].flagged, false);
});

test("through the proxy", async () => {
  for (const [url, text] of [[urls.good, goodAnswer], [urls.bad, null]]) {
    const asked = { model: "big-chat", messages: user("How do I get over the river?") };
    const plain = (await clientOf(url).chat.completions.create(asked)).choices[0];
    const streamed = await contentOf(await clientOf(url).chat.completions.create({ ...asked, stream: true }));
    assert.equal(plain.finish_reason, text === null ? "content_filter" : "stop");
    assert.equal(streamed.reason, plain.finish_reason);
    assert.equal(streamed.content, plain.message.content);
    if (text !== null) assert.equal(streamed.content, text);
    assert.ok(!streamed.content.includes(denied));
  }
  await assert.rejects(clientOf(urls.good).chat.completions.create({ model: "no-such-model", messages: user("Hello") }),
    OpenAI.NotFoundError);
});
