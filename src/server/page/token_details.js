// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What is shown of the token that is pointed at or has the focus.

import { visible } from "./cells.js";
import { make, makeBars, makeChip } from "./elements.js";
import { actionWords, severityRows, sourceWords } from "./words.js";

/** @import { Cell } from "./cells.js" */

/** The details of a cell. @param {Cell} cell @returns {HTMLElement[]} */
export function tipOf(cell) {
  const quote = make("span", "quote", cell.begin === cell.end ? "end of the answer" : visible(cell.text));
  const head = make("div", "tip-head", quote, makeChip(cell.severity));
  const token = cell.tokens.find((one) => one.severity === cell.severity);
  if (!token) return [head, make("p", "", "Nothing has judged this yet. It does not mean Safe.")];
  /** @type {[string, string][]} */
  const facts = [
    ["Category", token.severity === "Safe" ? "" : token.category ?? ""],
    ["Action", token.action === "none" ? "" : `${actionWords[token.action] ?? token.action} at this point`],
    ["Source", sourceWords[token.source] ?? token.source],
    ["Settled", token.settled ? "yes" : "no, the next words may change it"],
    ["Counts", token.counts ? "" : "no, not for the decision"],
    ["Decision", cell.decides ? "fell on this token" : cell.run ? "in the run that decided" : ""],
    ["Token", `${token.id}, bytes ${cell.begin} to ${cell.end}`],
    ["Shared", cell.tokens.length > 1 ? `${cell.tokens.length} tokens make these characters; this is the worst` : ""],
  ];
  const list = make("dl", "facts");
  for (const [name, value] of facts) if (value) list.append(make("dt", "", name), make("dd", "", value));
  return token.probabilities ? [head, makeBars(severityRows(token.probabilities)), list] : [head, list];
}

/** Puts the details below the token, or above it where the window ends. @param {HTMLElement} tip @param {HTMLElement} token @param {HTMLElement} frame */
export function place(tip, token, frame) {
  const around = frame.getBoundingClientRect();
  const rects = token.getClientRects();
  const box = rects[rects.length - 1] ?? token.getBoundingClientRect();
  const left = Math.max(0, Math.min(box.left - around.left, around.width - tip.offsetWidth));
  const below = box.bottom + 8 + tip.offsetHeight <= window.innerHeight || rects[0].top < tip.offsetHeight + 8;
  const top = below ? box.bottom - around.top + 8 : rects[0].top - around.top - tip.offsetHeight - 8;
  tip.style.setProperty("--tip-x", `${left}px`);
  tip.style.setProperty("--tip-y", `${top}px`);
}
