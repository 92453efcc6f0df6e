// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Elements of the page. Text enters them as text only, never as markup.

import { percent } from "./numbers.js";
import { look } from "./words.js";

/** @import { Severity } from "./server.js" */

/** @param {string} id @returns {any} an element of index.html */
export const $ = (id) => document.getElementById(id);

/** @param {string} tag @param {string} className @param {...(Node|string|null)} children @returns {HTMLElement} */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const child of children) if (child) element.append(child);
  return element;
}

/** @param {string} label @param {string} className @param {() => void} act */
export function makeButton(label, className, act) {
  const button = /** @type {HTMLButtonElement} */ (make("button", className, label));
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

/** The shape of a severity. @param {Severity} severity */
export function makeShape(severity) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#shape-${look(severity)}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A severity as a shape and a word. @param {Severity} severity @param {string} [word] */
export function makeChip(severity, word) {
  return make("span", `chip ${look(severity)}`, makeShape(severity), make("span", "", word ?? severity ?? "Not judged"));
}

/** Probabilities as bars with numbers. @param {[string, number, string][]} rows name, probability, look */
export function makeBars(rows) {
  const list = make("dl", "bars");
  for (const [name, p, kind] of rows) {
    const filled = make("span", "");
    filled.style.setProperty("--share", String(100 * p));
    const bar = make("dd", `bar ${kind}`, filled);
    bar.setAttribute("aria-hidden", "true");
    list.append(make("dt", "", name), bar, make("dd", "number", percent(p)));
  }
  return list;
}

/** Says something in a live region, once. @param {HTMLElement} region @param {string} text */
export function say(region, text) {
  if (region.textContent !== text) region.textContent = text;
}

/** @returns {Promise<void>} when what was changed is on the screen; at once where the page is not to be seen */
export const nextFrame = () => new Promise((done) => {
  if (document.hidden) done();
  else requestAnimationFrame(() => done());
});

/** Scrolls only where the element's head cannot be seen. @param {HTMLElement} element */
export function bringIntoView(element) {
  const top = element.getBoundingClientRect().top;
  if (top < 0 || top > window.innerHeight * 0.75) element.scrollIntoView({ block: "start" });
}
