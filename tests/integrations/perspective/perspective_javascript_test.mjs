// SPDX-License-Identifier: Apache-2.0
// Clients of Perspective for JavaScript, as they are published. Run by perspective_test.py, which says in Q3G_SERVER where the server is.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

const { url, key, harmless, harmful } = JSON.parse(process.env.Q3G_SERVER);
const require = createRequire(`${process.env.Q3G_NODE_MODULES}/`);

// What google.discoverAPI() of the package googleapis is.
const { Discovery } = require("googleapis-common");
const discover = async () => (await new Discovery({}).discoverAPI(`${url}/$discovery/rest?version=v1alpha1`))({});
const asked = (text, ...attributes) => ({
  comment: { text }, languages: ["en"], requestedAttributes: Object.fromEntries(attributes.map((name) => [name, {}])),
});

test("googleapis: scores", async () => {
  const client = await discover();
  const score = async (text) => {
    const { data } = await client.comments.analyze({ key, resource: asked(text, "TOXICITY", "THREAT") });
    assert.deepEqual(Object.keys(data.attributeScores), ["TOXICITY", "THREAT"]);
    assert.deepEqual(data.languages, ["en"]);
    return data.attributeScores.TOXICITY.summaryScore.value;
  };
  assert.ok((await score(harmless)) < 0.3);
  assert.ok((await score(harmful)) > 0.7);
});

test("googleapis: places of spans are those of a string", async () => {
  const client = await discover();
  const sentences = ["Nice \u{1F389} day! ", `\u{1F600} ${harmful} `, "Bye \u{1F44B}\u{1F3FD}"];
  const { data } = await client.comments.analyze({ key, resource: { ...asked(sentences.join(""), "TOXICITY"), spanAnnotations: true } });
  const spans = data.attributeScores.TOXICITY.spanScores;
  assert.deepEqual(spans.map(({ begin, end }) => sentences.join("").slice(begin, end)), sentences);
});

test("googleapis: errors", async () => {
  const client = await discover();
  const error = async (resource, with_key = key) => client.comments.analyze({ key: with_key, resource }).then(assert.fail, (e) => e);
  const empty = await error(asked("", "TOXICITY"));
  assert.equal(empty.status, 400);
  assert.equal(empty.response.data.error.details[0].errorType, "COMMENT_EMPTY");
  assert.match((await error(asked(harmful, "PROFANITY"))).message, /"PROFANITY"/);
  assert.equal((await error(asked(harmful, "TOXICITY"), "k".repeat(20))).response.data.error.status, "UNAUTHENTICATED");
  const suggestion = await client.comments.suggestscore({ key, resource: {} }).then(assert.fail, (e) => e);
  assert.equal(suggestion.status, 501);
});

test("perspective-api-client: another address by an interceptor of its axios", async () => {
  const Perspective = require("perspective-api-client");
  require("axios").interceptors.request.use((config) => ({ ...config, url: config.url.replace("https://commentanalyzer.googleapis.com", url) }));
  const client = new Perspective({ apiKey: key });
  const { attributeScores } = await client.analyze(`<b>${harmful}</b>`, { attributes: ["toxicity", "insult"] });
  assert.ok(attributeScores.TOXICITY.summaryScore.value > 0.7);
  assert.ok(attributeScores.INSULT.summaryScore.value > 0.3);
  await assert.rejects(client.analyze("a", { attributes: ["spam"] }), /"SPAM"/);
  await assert.rejects(new Perspective({ apiKey: "k".repeat(20) }).analyze("a"), /no key/);
});
