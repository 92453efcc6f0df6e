// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { opinionOfAnswer, opinionOfVerdict } from "../../../src/server/page/opinions.js";

const ruling = { action: "allow", rule: "safe", category: null, score: 0, policy: "default", version: "1" };
const probabilities = { safe: 0.9, controversial: 0.06, unsafe: 0.04 };

/** A stream that found nothing in "good day". */
const safe = {
  model: "m", text: "good day", trips: [3, 1],
  tokens: [[0, 4, 0.1], [4, 8, 0.25]].map(([byte_begin, byte_end, unsafe], index) =>
    ({ index, byte_begin, byte_end, severity: "Safe", settled: true, probabilities: { ...probabilities, unsafe } })),
  decision: { severity: "Safe", complete: true, unjudged: null, action: "allow", ruling, reason: "none", settled: true, token: null },
};

test("an answer that is still on its way is not Safe, one that is typed is so only so far", () => {
  const [running, typing, ended] = ["running", "typing", "ended"].map((state) => opinionOfAnswer(safe, state));
  assert.deepEqual([running.severity, running.word, running.action], [null, "Nothing found so far", "none"]);
  assert.deepEqual([typing.severity, typing.word, typing.action], ["Safe", "Safe so far", "none"]);
  assert.deepEqual([ended.severity, ended.word, ended.action], ["Safe", undefined, "allow"]);
  assert.ok(ended.lines.includes("The most suspicious token is “day”: Unsafe with 25.0 %."));
  assert.equal(ended.time, "2 tokens in 2 pushes: 4.0 ms with all round trips, 2.0 ms a token.");
});

test("harm is harm at once, with the probabilities of the token that decided", () => {
  const token = { index: 1, run_byte_begin: 4, byte_end: 8, severity: "Unsafe", category: "Violent", probabilities };
  const decision = { ...safe.decision, severity: "Unsafe", action: "block", reason: "run", settled: false, token,
    ruling: { ...ruling, action: "block", rule: "severity", category: "Violent" } };
  const opinion = opinionOfAnswer({ ...safe, decision }, "running");
  assert.deepEqual([opinion.severity, opinion.word, opinion.action], ["Unsafe", undefined, "block"]);
  assert.deepEqual(opinion.bars, [["Safe", 0.9, "safe"], ["Controversial", 0.06, "controversial"], ["Unsafe", 0.04, "unsafe"]]);
  assert.ok(opinion.lines.includes("Unsafe text of the category Violent is blocked."));
});

test("a Gen model's verdict has its categories, its refusal and its time where it says them", () => {
  const verdict = { severity: "Unsafe", probabilities, categories: [{ name: "Violent", probability: 0.7 }, { name: "PII", probability: 0.1 }],
    refusal: { value: false, probability: 0.8 }, ruling, latency_ms: 12.2 };
  const opinion = opinionOfVerdict(verdict, "m", 20);
  assert.deepEqual(opinion.lines.slice(0, 2), ["Categories: Violent (70.0 %), PII (10.0 %).", "The answer does not refuse (80.0 %)."]);
  assert.equal(opinion.time, "20 ms for the round trip, 12 ms of it in the model.");
  const bare = opinionOfVerdict({ severity: null, probabilities: null, categories: [], refusal: null, ruling }, "m", 20);
  assert.deepEqual([bare.bars, bare.lines.slice(0, 2), bare.time], [[], ["", ""], "20 ms for the round trip."]);
});
