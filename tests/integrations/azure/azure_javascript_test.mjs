// SPDX-License-Identifier: Apache-2.0
// Azure AI Content Safety's client for JavaScript against a server that azure_test.py has started; Q3G_SERVER says where.
import assert from "node:assert/strict";
import { test } from "node:test";

import ContentSafetyClient, { isUnexpected } from "@azure-rest/ai-content-safety";
import { AzureKeyCredential } from "@azure/core-auth";

const { url, key, harmless, harmful, jailbreak, denied } = JSON.parse(process.env.Q3G_SERVER);
const clientOf = (secret = key, options = {}) =>
  ContentSafetyClient(url, new AzureKeyCredential(secret), { allowInsecureConnection: true, retryOptions: { maxRetries: 0 }, ...options });
const client = clientOf();

async function analyze(body, one = client) {
  const response = await one.path("/text:analyze").post({ body });
  assert.ok(!isUnexpected(response), JSON.stringify(response.body));
  return { ...response.body, severities: Object.fromEntries(response.body.categoriesAnalysis.map(({ category, severity }) => [category, severity])) };
}

async function fails(response, status, code) {
  assert.ok(isUnexpected(response));
  assert.equal(response.status, String(status));
  assert.equal(response.body.error.code, code);
  assert.equal(response.headers["x-ms-error-code"], code);
  assert.ok(response.body.error.message);
}

test("texts", async () => {
  assert.deepEqual((await analyze({ text: harmless })).severities, { Hate: 0, SelfHarm: 0, Sexual: 0, Violence: 0 });
  assert.deepEqual((await analyze({ text: harmful })).severities, { Hate: 0, SelfHarm: 0, Sexual: 0, Violence: 6 });
  const { severities, qwen3guard } = await analyze({ text: jailbreak });
  assert.ok(Object.values(severities).every((severity) => severity >= 4));
  assert.equal(qwen3guard.ruling.category, "Jailbreak");
});

test("options", async () => {
  const body = { text: harmful, categories: ["Violence", "Sexual"], outputType: "EightSeverityLevels" };
  assert.deepEqual((await analyze(body)).severities, { Sexual: 0, Violence: 7 });
  assert.deepEqual((await analyze(body, clientOf(key, { apiVersion: "2024-09-01" }))).severities, { Sexual: 0, Violence: 7 });
});

test("block lists", async () => {
  const { blocklistsMatch, severities } = await analyze({ text: `the ${denied} lives`, blocklistNames: ["my-list"], haltOnBlocklistHit: true });
  assert.deepEqual(blocklistsMatch, [{ blocklistName: "my-list", blocklistItemId: "0", blocklistItemText: denied }]);
  assert.ok(Object.values(severities).every((severity) => severity >= 4));
});

test("errors", async () => {
  const analyzeText = (one, body) => one.path("/text:analyze").post({ body });
  await fails(await analyzeText(clientOf("k".repeat(20)), { text: "x" }), 401, "401");
  await fails(await analyzeText(clientOf(key, { apiVersion: "2023-04-30-preview" }), { text: "x" }), 400, "UnsupportedApiVersionValue");
  await fails(await analyzeText(client, { text: "a".repeat(10001) }), 400, "InvalidRequestBody");
  await fails(await analyzeText(client, { text: "x", blocklistNames: ["other"] }), 400, "InvalidRequestBody");
  await fails(await analyzeText(client, { text: "x", image: "y" }), 400, "InvalidRequestBody");
});

test("what is not offered", async () => {
  await fails(await client.path("/image:analyze").post({ body: { image: { content: "eA==" } } }), 501, "NotImplemented");
  await fails(await client.path("/text/blocklists/{blocklistName}", "mine").patch({
    contentType: "application/merge-patch+json", body: { blocklistName: "mine" } }), 501, "NotImplemented");
});
