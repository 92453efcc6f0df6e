// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Opinions and findings on the page.

import { make, makeBars, makeChip, makeShape } from "./elements.js";
import { actionWords, look, rulingOrigin } from "./words.js";

/** @import { Finding } from "./findings.js" */
/** @import { Opinion } from "./opinions.js" */

/** Says what was found in a live region, with the shape of each severity. @param {HTMLElement} region @param {Finding[]} findings @param {string} [rest] */
export function sayFindings(region, findings, rest = "") {
  const lines = findings.map(({ severity, text }) =>
    make("span", "finding", make("span", `chip ${look(severity)}`, makeShape(severity)), make("span", "", `${text} `)));
  region.replaceChildren(...lines, rest);
}

/** What one model says of one text, and what the policy makes of it. @param {Opinion} opinion */
export function makeOpinion(opinion) {
  const action = opinion.action === "none" ? null : make("span", "action", actionWords[opinion.action]);
  const who = opinion.who ? make("p", "who", opinion.who) : null;
  const card = make("div", "opinion", who, make("div", "opinion-head", makeChip(opinion.severity, opinion.word), action));
  if (opinion.bars?.length) card.append(makeBars(opinion.bars));
  const words = opinion.lines.filter(Boolean).join(" ");
  if (words) card.append(make("p", "", words));
  if (opinion.ruling) card.append(make("p", "small", rulingOrigin(opinion.ruling)));
  if (opinion.time) card.append(make("p", "small", opinion.time));
  return card;
}
