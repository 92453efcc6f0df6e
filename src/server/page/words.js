// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What severities, actions and rules of a policy are called.

/** @import { Action, Decision, Probabilities, Ruling, Severity } from "./server.js" */

/** @param {Severity} severity @returns {"safe"|"controversial"|"unsafe"|"unjudged"} */
export function look(severity) {
  if (severity === "Safe") return "safe";
  if (severity === "Controversial") return "controversial";
  return severity === "Unsafe" ? "unsafe" : "unjudged";
}

/** @type {Record<string, string>} */
export const actionWords = { allow: "allowed", flag: "flagged", block: "blocked", none: "no advice" };

/** @type {Record<string, string>} */
export const sourceWords = {
  heads: "this token’s classification heads",
  written: "a verdict that the model wrote up to here",
  carried: "the model’s last written verdict, before this token",
  none: "nothing: it was not judged",
};

/** The rule of a policy that decided, as a sentence. @param {Ruling} ruling @param {Severity} severity */
export function rulingSentence(ruling, severity) {
  const done = actionWords[ruling.action] ?? ruling.action;
  const category = ruling.category ?? "the category";
  const score = ruling.score.toFixed(2);
  /** @type {Record<string, string>} */
  const sentences = {
    none: "Nothing was judged, and the policy gives no advice for that. It does not mean that the text may pass",
    safe: severity === "Safe" ? "Nothing harmful was found" : "No run of tokens was long enough to decide",
    severity: `${severity ?? "Harmful"} text${ruling.category ? ` of the category ${category}` : ""} is ${done}`,
    threshold: `The score of ${category}, ${score}, reached the threshold from which it is ${done}`,
    below_threshold: `The model finds this harmful, but the score of ${category}, ${score}, is below every threshold`,
    category_off: "Every category that was found is switched off",
    deny_list: `It has phrase ${(ruling.phrase ?? 0) + 1} of the deny list, which is ${done}`,
    not_judged: `Not all of it was judged, and such text is ${done}`,
  };
  return `${sentences[ruling.rule] ?? `The rule “${ruling.rule}” says: ${done}`}.`;
}

/** Where the rule is from. @param {Ruling} ruling */
export const rulingOrigin = (ruling) => `Rule ${ruling.rule}, policy ${ruling.policy}, version ${ruling.version}.`;

/** Why a stream's decision is what it is. @param {Decision} decision */
export function reasonSentence(decision) {
  /** @type {Record<string, string>} */
  const sentences = {
    run: "Tokens in a row of one severity decided",
    mixed_run: "Harmful tokens in a row, at least one of them Unsafe, decided",
    end_of_turn: "The answer ended within a shorter run of harmful tokens, which the policy counts",
    written: "The model’s written verdict decided",
  };
  const sentence = sentences[decision.reason];
  if (!sentence) return "";
  return `${sentence}${decision.settled ? "" : "; the next words may still change it"}.`;
}

/** What of the text was not judged. @param {Decision} decision @param {boolean} ended */
export function unjudgedSentence(decision, ended) {
  if (decision.complete) return "";
  const range = decision.unjudged;
  if (!range) return "Not all of it was judged.";
  return `Bytes ${range[0]} to ${range[1]} ${ended ? "were not judged" : "are not judged yet"}.`;
}

/** "Unsafe (Violent) and blocked" @param {Severity} severity @param {Action} action @param {string|null} [category] */
export function verdictWords(severity, action, category) {
  if (!severity) return action === "none" ? "not judged" : `not judged, and ${actionWords[action]}`;
  const named = category && severity !== "Safe" ? ` (${category})` : "";
  return action === "none" ? `${severity}${named}` : `${severity}${named} and ${actionWords[action]}`;
}

/** @param {Probabilities} p @returns {[string, number, string][]} */
export const severityRows = (p) => [
  ["Safe", p.safe, "safe"],
  ["Controversial", p.controversial, "controversial"],
  ["Unsafe", p.unsafe, "unsafe"],
];
