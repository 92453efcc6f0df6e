// SPDX-License-Identifier: Apache-2.0
// @ts-check
// An answer cut into what is shown as one.

import { bytesOf, textOf } from "./text.js";

/** @import { Decision, Severity, Token } from "./server.js" */

/** What is shown as one: usually a token, several where they share a character, none where nothing was judged.
 * @typedef {{begin: number, end: number, text: string, tokens: Token[], severity: Severity, settled: boolean,
 *            run: boolean, decides: boolean}} Cell */

/** A cell's bytes, and whether tokens make only a part of them. @typedef {{begin: number, end: number, tokens: Token[], partly?: boolean}} Range */

/** The worst severity of a cell. What was not judged outweighs Safe, so that it never looks like it. @param {Range} range @returns {Severity} */
function worst({ tokens, partly }) {
  const severities = tokens.map(({ severity }) => severity).concat(partly ? [null] : []);
  /** @type {Severity[]} */
  const order = ["Unsafe", "Controversial", null, "Safe"];
  return order.find((severity) => severities.includes(severity)) ?? null;
}

/** Cuts an answer into cells that begin and end between characters.
 * @param {string} text @param {Token[]} tokens @param {Decision|null} decision @returns {Cell[]} */
export function cellsOf(text, tokens, decision) {
  const bytes = bytesOf(text);
  const inCharacter = (/** @type {number} */ at) => at < bytes.length && (bytes[at] & 0xc0) === 0x80;
  /** @type {Range[]} */
  const ranges = [];
  let end = 0;
  for (const token of tokens) {
    const last = ranges[ranges.length - 1];
    if (last && (token.byte_begin < last.end || inCharacter(last.end))) {
      last.tokens.push(token);
      last.end = Math.max(last.end, token.byte_end);
    } else {
      if (token.byte_begin > end) ranges.push({ begin: end, end: token.byte_begin, tokens: [] });
      ranges.push({ begin: token.byte_begin, end: token.byte_end, tokens: [token] });
    }
    end = ranges[ranges.length - 1].end;
  }
  // The last token may end within a character, of which no one can see a half.
  for (const last = ranges[ranges.length - 1]; inCharacter(end); last.end = ++end) last.partly = true;
  if (end < bytes.length) ranges.push({ begin: end, end: bytes.length, tokens: [] });
  return ranges.map((range) => cellOf(range, textOf(bytes.subarray(range.begin, range.end)), decision));
}

/** @param {Range} range @param {string} text @param {Decision|null} decision @returns {Cell} */
function cellOf(range, text, decision) {
  const { begin, end, tokens } = range;
  const fell = decision && decision.severity !== "Safe" ? decision.token : null;
  return {
    begin, end, text, tokens,
    severity: worst(range),
    settled: tokens.every((token) => token.settled),
    run: fell !== null && begin >= fell.run_byte_begin && end <= fell.byte_end && end > begin,
    decides: fell !== null && tokens.some((token) => token.index === fell.index),
  };
}

/** A cell's text in words: white space has none of its own. @param {Cell} cell */
export function spoken(cell) {
  if (cell.begin === cell.end) return "end of the answer";
  const words = cell.text.replace(/\r?\n/g, " line break ").trim();
  return words || "space";
}

/** White space made visible. @param {string} text */
export const visible = (text) => text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");

/** The space that a word begins with, and the word; white space alone is not cut. @param {string} text @returns {[string, string]} */
export function leadingSpace(text) {
  const n = /^[ \t]+(?=\S)/.exec(text)?.[0].length ?? 0;
  return [text.slice(0, n), text.slice(n)];
}
