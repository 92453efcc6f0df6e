// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { answerFinding, promptFinding, wholeFinding } from "../../../src/server/page/findings.js";
import { count, milliseconds, percent } from "../../../src/server/page/numbers.js";
import { look, reasonSentence, rulingSentence, unjudgedSentence, verdictWords } from "../../../src/server/page/words.js";

test("no probability is called 0 % or 100 % that is not exactly that", () => {
  assert.deepEqual([0, 0.0004, 0.001, 0.5, 0.999, 0.9996, 1].map(percent),
    ["0.0 %", "< 0.1 %", "0.1 %", "50.0 %", "99.9 %", "> 99.9 %", "100.0 %"]);
});

test("times and counts", () => {
  assert.deepEqual([0.04, 9.94, 9.96, 123.4].map(milliseconds), ["0.0 ms", "9.9 ms", "10 ms", "123 ms"]);
  assert.deepEqual([0, 1, 2].map((n) => count(n, "turn")), ["0 turns", "1 turn", "2 turns"]);
});

test("what was not judged never looks or sounds Safe", () => {
  assert.deepEqual(["Safe", "Controversial", "Unsafe", null].map(look), ["safe", "controversial", "unsafe", "unjudged"]);
  assert.equal(verdictWords(null, "none"), "not judged");
  assert.equal(verdictWords(null, "block", "Violent"), "not judged, and blocked");
  assert.equal(verdictWords("Safe", "allow", "Violent"), "Safe and allowed");
  assert.equal(verdictWords("Unsafe", "none", "Violent"), "Unsafe (Violent)");
  assert.match(rulingSentence({ action: "none", rule: "none", category: null, score: 0 }, null), /does not mean that the text may pass\.$/);
});

test("each rule of a policy has its sentence, and a rule that is new its name", () => {
  const ruling = { action: "block", category: "Violent", score: 0.876, phrase: 2 };
  for (const [rule, severity, sentence] of [
    ["safe", "Safe", "Nothing harmful was found."],
    ["safe", "Unsafe", "No run of tokens was long enough to decide."],
    ["severity", "Unsafe", "Unsafe text of the category Violent is blocked."],
    ["threshold", "Unsafe", "The score of Violent, 0.88, reached the threshold from which it is blocked."],
    ["below_threshold", "Unsafe", "The model finds this harmful, but the score of Violent, 0.88, is below every threshold."],
    ["category_off", "Unsafe", "Every category that was found is switched off."],
    ["deny_list", "Safe", "It has phrase 3 of the deny list, which is blocked."],
    ["not_judged", null, "Not all of it was judged, and such text is blocked."],
    ["moon_phase", "Safe", "The rule “moon_phase” says: blocked."],
  ]) assert.equal(rulingSentence({ ...ruling, rule }, severity), sentence);
});

test("why a stream decided, and what it has not judged", () => {
  assert.equal(reasonSentence({ reason: "run", settled: false }),
    "Tokens in a row of one severity decided; the next words may still change it.");
  assert.equal(reasonSentence({ reason: "written", settled: true }), "The model’s written verdict decided.");
  assert.equal(reasonSentence({ reason: "none", settled: true }), "");
  assert.equal(unjudgedSentence({ complete: true, unjudged: null }, true), "");
  assert.equal(unjudgedSentence({ complete: false, unjudged: [2, 9] }, true), "Bytes 2 to 9 were not judged.");
  assert.equal(unjudgedSentence({ complete: false, unjudged: [2, 9] }, false), "Bytes 2 to 9 are not judged yet.");
  assert.equal(unjudgedSentence({ complete: false, unjudged: null }, true), "Not all of it was judged.");
});

test("the summary's sentences; a run that begins within a character is quoted without its half", () => {
  const ruling = { action: "block", rule: "severity", category: "Violent", score: 1 };
  const token = { run_byte_begin: 1, byte_end: 10, category: "Violent" };
  const decision = { severity: "Unsafe", action: "block", ruling, token };
  assert.equal(promptFinding(decision).text, "The prompt is Unsafe (Violent) and blocked.");
  assert.equal(answerFinding(decision, "é hurts", true).text, "The answer so far is Unsafe (Violent) and blocked, from “hurts” on.");
  assert.equal(answerFinding({ ...decision, severity: "Safe", action: "allow" }, "x").text, "The answer is Safe and allowed.");
  assert.equal(answerFinding({ ...decision, severity: null, action: "none", token: null }, "x").text, "The answer is not judged.");
  assert.deepEqual(wholeFinding("answer", { severity: "Safe", ruling: { ...ruling, action: "allow" }, categories: [] }),
    { about: "answer", severity: "Safe", text: "The answer is Safe and allowed." });
});
