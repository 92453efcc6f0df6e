// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { cellsOf, leadingSpace, spoken } from "./cells.js";
import { make } from "./elements.js";
import { place, tipOf } from "./token_details.js";
import { actionWords, look } from "./words.js";

/** @import { Cell } from "./cells.js" */
/** @import { Action, Decision, Token } from "./server.js" */

/** The answer as a list of tokens; one of them is in the tab order, the arrow keys go on from there. */
export class TokenFlow {
  /** @type {Cell[]} */
  #cells = [];
  /** @type {HTMLElement[]} */
  #elements = [];
  /** What stands before each element: the space that its token begins with. @type {(HTMLElement|null)[]} */
  #gaps = [];
  /** @type {string[]} */
  #signatures = [];
  /** @type {Action} */
  #action = "none";
  #active = 0;
  #shown = -1;
  #hide = 0;
  /** Where the pointer was last. */
  #pointer = "";

  /** @param {HTMLElement} list @param {HTMLElement} tip */
  constructor(list, tip) {
    this.list = list;
    this.tip = tip;
    list.addEventListener("pointermove", (event) => this.#point(event));
    list.addEventListener("pointerleave", () => this.#hideSoon());
    list.addEventListener("focusin", (event) => this.#focused(event));
    list.addEventListener("focusout", () => this.#hideSoon());
    list.addEventListener("keydown", (event) => this.#key(event));
    tip.addEventListener("pointerenter", () => clearTimeout(this.#hide));
    tip.addEventListener("pointerleave", () => this.#hideSoon());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") this.hide(); });
  }

  /** Shows an answer; what is the same as before stays in the document. @param {string} text @param {Token[]} tokens @param {Decision|null} decision */
  show(text, tokens, decision) {
    const cells = cellsOf(text, tokens, decision);
    const signatures = cells.map((cell) => JSON.stringify(cell));
    let same = 0;
    while (same < signatures.length && signatures[same] === this.#signatures[same]) ++same;
    const focused = this.#elements.findIndex((element) => element === document.activeElement);
    if (this.#shown >= same) this.hide();
    this.#action = decision?.action ?? "none";
    for (const gone of [...this.#elements.splice(same), ...this.#gaps.splice(same)]) gone?.remove();
    this.list.querySelectorAll(".mark").forEach((mark) => mark.remove());
    this.#cells = cells;
    this.#signatures = signatures;
    for (let i = same; i < cells.length; ++i) this.#append(cells[i], i);
    this.#mark();
    this.#roving(Math.min(this.#active, cells.length - 1));
    if (focused >= same) this.#elements[Math.min(focused, cells.length - 1)]?.focus();
  }

  /** Index of the token that decided, or -1. */
  get deciding() {
    return this.#cells.findIndex((cell) => cell.decides);
  }

  /** @param {number} i */
  focus(i) {
    this.#elements[i]?.focus();
  }

  hide() {
    clearTimeout(this.#hide);
    this.#elements[this.#shown]?.removeAttribute("aria-describedby");
    this.#shown = -1;
    this.tip.hidden = true;
  }

  /** The space that a word begins with stands beside its element, without a colour: where a line ends there, it would
   * leave a spot of it behind. @param {Cell} cell @param {number} i */
  #append(cell, i) {
    const [space, rest] = leadingSpace(cell.text);
    const gap = space ? make("span", "gap", space) : null;
    gap?.setAttribute("aria-hidden", "true");
    if (gap) gap.dataset.at = String(i);
    const element = this.#element(cell, rest, i);
    this.list.append(...(gap ? [gap, element] : [element]));
    this.#gaps.push(gap);
    this.#elements.push(element);
  }

  /** @param {Cell} cell @param {string} text of it @param {number} i */
  #element(cell, text, i) {
    const names = ["token", look(cell.severity), cell.run ? "run" : "", cell.decides ? "decides" : "",
      cell.tokens.length && !cell.settled ? "open" : ""];
    const element = make("span", names.filter(Boolean).join(" "));
    const lines = text.split(/(\n)/);
    for (const line of lines) element.append(...(line === "\n" ? [make("span", "glyph", "↵"), line] : [line]));
    if (cell.begin === cell.end) element.append(make("span", "glyph", "∎"));
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", String(cell.decides));
    element.setAttribute("aria-label", this.#label(cell));
    element.tabIndex = -1;
    element.dataset.at = String(i);
    return element;
  }

  /** @param {Cell} cell */
  #label(cell) {
    const severity = cell.severity ?? "not judged";
    return `${spoken(cell)}: ${severity}${cell.decides ? `, the decision fell here, ${actionWords[this.#action]}` : ""}`;
  }

  /** Says in the text where the decision fell; the token's name says the same to a screen reader. */
  #mark() {
    const at = this.deciding;
    if (at < 0) return;
    const mark = make("span", "mark", `${actionWords[this.#action]} here`);
    mark.setAttribute("aria-hidden", "true");
    this.#elements[at].after(mark);
  }

  /** @param {number} i */
  #roving(i) {
    if (this.#elements[this.#active]) this.#elements[this.#active].tabIndex = -1;
    this.#active = Math.max(0, i);
    if (this.#elements[this.#active]) this.#elements[this.#active].tabIndex = 0;
  }

  /** @param {Event} event */
  static #at(event) {
    const element = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    return element instanceof HTMLElement ? Number(element.dataset.at) : -1;
  }

  /** Only a pointer that moves points: text that scrolls below a resting one must not take the details from the focus. @param {PointerEvent} event */
  #point(event) {
    const here = `${event.screenX} ${event.screenY}`;
    const at = TokenFlow.#at(event);
    if (here === this.#pointer) return;
    this.#pointer = here;
    if (at < 0) this.#hideSoon();
    else if (at !== this.#shown) this.#describe(at);
  }

  /** @param {Event} event */
  #focused(event) {
    const at = TokenFlow.#at(event);
    if (at < 0) return;
    this.#roving(at);
    this.#describe(at);
  }

  /** A moment later, so that the pointer can reach the details; a focused token gets its own back. */
  #hideSoon() {
    clearTimeout(this.#hide);
    this.#hide = window.setTimeout(() => {
      const focused = this.#elements.findIndex((element) => element === document.activeElement);
      if (focused >= 0) this.#describe(focused);
      else this.hide();
    }, 180);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = TokenFlow.#at(event);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.#elements.length - 1;
    /** @type {Record<string, () => number>} */
    const moves = {
      ArrowRight: () => Math.min(at + 1, last),
      ArrowLeft: () => Math.max(at - 1, 0),
      ArrowDown: () => this.#otherLine(at, 1),
      ArrowUp: () => this.#otherLine(at, -1),
      Home: () => 0,
      End: () => last,
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    this.focus(move());
  }

  /** The token above or below. @param {number} at @param {1|-1} step */
  #otherLine(at, step) {
    const box = (/** @type {number} */ i) => this.#elements[i].getClientRects()[0] ?? this.#elements[i].getBoundingClientRect();
    const from = box(at);
    const height = from.height / 2;
    let best = at;
    let line = NaN;
    for (let i = at + step; i >= 0 && i < this.#elements.length; i += step) {
      const here = box(i);
      if (Math.abs(here.top - from.top) < height) continue;
      if (Number.isNaN(line)) line = here.top;
      else if (Math.abs(here.top - line) >= height) break;
      if (best === at || Math.abs(here.left - from.left) < Math.abs(box(best).left - from.left)) best = i;
    }
    return best;
  }

  /** @param {number} i */
  #describe(i) {
    clearTimeout(this.#hide);
    this.#elements[this.#shown]?.removeAttribute("aria-describedby");
    this.#shown = i;
    this.tip.replaceChildren(...tipOf(this.#cells[i]));
    this.tip.hidden = false;
    this.#elements[i].setAttribute("aria-describedby", this.tip.id);
    place(this.tip, this.#elements[i], /** @type {HTMLElement} */ (this.list.parentElement));
  }
}
