// SPDX-License-Identifier: Apache-2.0
// Azure AI Content Safety's client on qwen3guard: what changes is the endpoint and the key.
//   npm install @azure-rest/ai-content-safety @azure/core-auth
//   export CONTENT_SAFETY_ENDPOINT=http://127.0.0.1:8080 CONTENT_SAFETY_KEY=...
//   node moderate.mjs "a text" ...
// With a certificate of your own (https), NODE_EXTRA_CA_CERTS is the file to trust. Exit code 1: a text is not to be shown.
import ContentSafetyClient, { isUnexpected } from "@azure-rest/ai-content-safety";
import { AzureKeyCredential } from "@azure/core-auth";

const blockFrom = 4; // what the policy blocks; 2 is also what it flags
const endpoint = process.env.CONTENT_SAFETY_ENDPOINT;
const client = ContentSafetyClient(endpoint, new AzureKeyCredential(process.env.CONTENT_SAFETY_KEY), {
  allowInsecureConnection: endpoint.startsWith("http:"), // the client sends keys over https alone, unless it is told
});

// Whether a text may be shown. What was not judged may not.
async function isAllowed(text) {
  try {
    const response = await client.path("/text:analyze").post({ body: { text } });
    if (isUnexpected(response)) throw new Error(response.body.error.message);
    const { blocklistsMatch, categoriesAnalysis } = response.body;
    return blocklistsMatch.length === 0 && categoriesAnalysis.length === 4 && categoriesAnalysis.every(({ severity }) => severity < blockFrom);
  } catch (error) {
    console.error(`not judged: ${error.message}`);
    return false;
  }
}

for (const text of process.argv.slice(2)) {
  const allowed = await isAllowed(text);
  console.log(allowed ? "allowed" : "blocked", text);
  if (!allowed) process.exitCode = 1;
}
