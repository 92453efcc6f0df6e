// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What one model says of one text, and what the policy makes of it, in words.

import { cellsOf } from "./cells.js";
import { count, milliseconds, percent } from "./numbers.js";
import { reasonSentence, rulingSentence, severityRows, unjudgedSentence } from "./words.js";

/** @import { AnswerStream } from "./answer_stream.js" */
/** @import { Cell } from "./cells.js" */
/** @import { Action, Decision, Ruling, Severity, Verdict } from "./server.js" */

/** @typedef {{who: string, severity: Severity, word?: string, action: Action, bars?: [string, number, string][],
 *             lines: string[], ruling?: Ruling, time?: string}} Opinion */

/** @param {Verdict} verdict @param {string} who @param {number} tripMs @returns {Opinion} */
export function opinionOfVerdict(verdict, who, tripMs) {
  const refusal = verdict.refusal;
  const categories = verdict.categories.map(({ name, probability }) => `${name} (${percent(probability)})`);
  const model = verdict.latency_ms === undefined ? "" : `, ${milliseconds(verdict.latency_ms)} of it in the model`;
  return {
    who: `${who}, whole messages`,
    severity: verdict.severity,
    action: verdict.ruling.action,
    bars: verdict.probabilities ? severityRows(verdict.probabilities) : [],
    lines: [
      categories.length ? `Categories: ${categories.join(", ")}.` : "",
      refusal ? `The answer ${refusal.value ? "refuses" : "does not refuse"} (${percent(refusal.probability)}).` : "",
      rulingSentence(verdict.ruling, verdict.severity),
    ],
    ruling: verdict.ruling,
    time: `${milliseconds(tripMs)} for the round trip${model}.`,
  };
}

/** The verdict on the prompt of a model that reads along. @param {AnswerStream} stream @returns {Opinion} */
export function opinionOfPrompt({ prompt, promptMs, model }) {
  const { decision } = /** @type {{decision: Decision}} */ (prompt);
  return {
    who: `${model}, token by token`,
    severity: decision.severity,
    action: decision.action,
    bars: decision.token?.probabilities ? severityRows(decision.token.probabilities) : [],
    lines: [rulingSentence(decision.ruling, decision.severity), unjudgedSentence(decision, true)],
    ruling: decision.ruling,
    time: `${milliseconds(promptMs)} for the round trip.`,
  };
}

/** @param {AnswerStream} stream @param {"running"|"typing"|"ended"} state @returns {Opinion} */
export function opinionOfAnswer(stream, state) {
  const decision = /** @type {Decision} */ (stream.decision);
  const soFar = state !== "ended" && decision.severity === "Safe";
  const found = decision.severity === "Safe" ? null : decision.token;
  return {
    who: `${stream.model}, token by token`,
    // While pieces are on their way, nobody may read Safe off an answer of which the rest is still to be judged.
    severity: soFar && state === "running" ? null : decision.severity,
    word: soFar ? (state === "running" ? "Nothing found so far" : "Safe so far") : undefined,
    action: soFar ? "none" : decision.action,
    bars: found?.probabilities ? severityRows(found.probabilities) : [],
    lines: [
      reasonSentence(decision),
      decision.severity === "Safe" ? nearestSentence(stream) : "",
      soFar ? "" : rulingSentence(decision.ruling, decision.severity),
      unjudgedSentence(decision, state === "ended"),
    ],
    ruling: decision.ruling,
    time: timeOfAnswer(stream),
  };
}

/** Which token came nearest to being Unsafe. @param {AnswerStream} stream */
function nearestSentence({ tokens, text, decision }) {
  const unsafe = (/** @type {Cell} */ cell) => Math.max(...cell.tokens.map((token) => token.probabilities?.unsafe ?? 0));
  const cells = cellsOf(text, tokens, decision).filter((cell) => cell.tokens.length > 0 && cell.text.trim() !== "");
  if (!cells.length) return "";
  const nearest = cells.reduce((a, b) => (unsafe(b) > unsafe(a) ? b : a));
  return `The most suspicious token is “${nearest.text.trim()}”: Unsafe with ${percent(unsafe(nearest))}.`;
}

/** @param {AnswerStream} stream */
function timeOfAnswer(stream) {
  const total = stream.trips.reduce((sum, trip) => sum + trip, 0);
  const judged = stream.tokens.length;
  const each = judged ? `, ${milliseconds(total / judged)} a token` : "";
  return `${count(judged, "token")} in ${count(stream.trips.length, "push").replace(/pushs$/, "pushes")}: ` +
    `${milliseconds(total)} with all round trips${each}.`;
}
