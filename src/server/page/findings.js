// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The sentences of the summary.

import { bytesOf, textOf } from "./text.js";
import { verdictWords } from "./words.js";

/** @import { Decision, Severity, Verdict } from "./server.js" */

/** A sentence of the summary. @typedef {{about: "prompt"|"answer", severity: Severity, text: string}} Finding */

/** What a Gen model found. @param {"prompt"|"answer"} about @param {Verdict} verdict @returns {Finding} */
export function wholeFinding(about, { severity, ruling, categories }) {
  return { about, severity, text: `The ${about} is ${verdictWords(severity, ruling.action, categories[0]?.name)}.` };
}

/** @param {Decision} decision @returns {Finding} */
export function promptFinding({ severity, action, ruling }) {
  return { about: "prompt", severity, text: `The prompt is ${verdictWords(severity, action, ruling.category)}.` };
}

/** @param {Decision} decision @param {string} text @param {boolean} [soFar] @returns {Finding} */
export function answerFinding(decision, text, soFar = false) {
  const { severity, action, ruling, token } = decision;
  const words = verdictWords(severity, action, token?.category ?? ruling.category);
  const bytes = severity !== "Safe" && token ? bytesOf(text).subarray(token.run_byte_begin, token.byte_end) : null;
  // A run may begin or end within a character, of which half a one is not worth quoting.
  const quote = bytes ? textOf(bytes).replace(/\ufffd/g, "").trim() : "";
  return { about: "answer", severity, text: `The answer ${soFar ? "so far " : ""}is ${words}${quote ? `, from “${quote}” on` : ""}.` };
}
