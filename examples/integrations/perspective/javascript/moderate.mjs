// SPDX-License-Identifier: Apache-2.0
// A client of Perspective on qwen3guard: what changes is the address.
//   export PERSPECTIVE_URL=http://127.0.0.1:8080 PERSPECTIVE_KEY=...
//   node moderate.mjs "a comment" ...
// Node.js 18 or newer, no packages. Exit code 1: a comment is not to be shown.
const service = process.env.PERSPECTIVE_URL ?? "http://127.0.0.1:8080"; // before: "https://commentanalyzer.googleapis.com"
const key = encodeURIComponent(process.env.PERSPECTIVE_KEY ?? "");
const blockFrom = 0.7; // choose_threshold.py chooses one from your comments

// Throws where a comment is not judged: it is not to be taken for one that is fine.
async function analyze(text, attribute) {
  const response = await fetch(new URL(`/v1alpha1/comments:analyze?key=${key}`, service), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ comment: { text }, requestedAttributes: { [attribute]: {} }, spanAnnotations: true, doNotStore: true }),
    signal: AbortSignal.timeout(30_000),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${reply.error?.message}`);
  return reply.attributeScores[attribute];
}

async function isAllowed(text) {
  try {
    const { summaryScore, spanScores } = await analyze(text, "TOXICITY");
    if (summaryScore.value < blockFrom) {
      console.log("allowed", text);
      return true;
    }
    console.log("blocked", text);
    // Places are in UTF-16 code units, as a string's indices.
    const worst = spanScores.reduce((a, b) => (b.score.value > a.score.value ? b : a));
    console.log("  worst:", text.slice(worst.begin, worst.end).trim());
  } catch (error) {
    console.log("blocked", text);
    console.error(`not judged: ${error.message}`);
  }
  return false;
}

for (const text of process.argv.slice(2)) {
  if (!(await isAllowed(text))) process.exitCode = 1;
}
