// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { $, make, makeButton } from "./elements.js";
import { wellFormed } from "./text.js";

/** @import { Message } from "./server.js" */

/** @type {Record<string, string>} */
const roleWords = { user: "User’s message", assistant: "Assistant’s answer" };

/** @type {Message[]} */
const empty = [{ role: "user", content: "" }, { role: "assistant", content: "" }];

/** The turns that a person types. */
export class Composer {
  #made = 0;

  /** @param {HTMLElement} list @param {() => void} changed */
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    list.addEventListener("input", changed);
    this.#fill(empty);
  }

  /** @param {Message[]} messages */
  set(messages) {
    this.#fill(messages);
    this.changed();
  }

  clear() {
    this.set(empty);
    this.list.querySelector("textarea")?.focus();
  }

  add() {
    const roles = this.#turns().map((turn) => turn.role);
    const turn = this.#turn({ role: roles[roles.length - 1] === "user" ? "assistant" : "user", content: "" });
    this.list.append(turn);
    turn.querySelector("textarea")?.focus();
    this.changed();
  }

  /** The conversation: turns without text are left out. @returns {Message[]} */
  get messages() {
    return this.#turns().filter(({ content }) => content.trim() !== "");
  }

  /** @param {Message[]} messages */
  #fill(messages) {
    this.list.replaceChildren(...messages.map((message) => this.#turn(message)));
  }

  #turns() {
    return Array.from(this.list.querySelectorAll("textarea"),
      (field) => ({ role: field.dataset.role ?? "user", content: wellFormed(field.value) }));
  }

  /** @param {Message} message */
  #turn({ role, content }) {
    const id = `turn-${++this.#made}`;
    const label = /** @type {HTMLLabelElement} */ (make("label", "", roleWords[role]));
    label.htmlFor = id;
    const field = /** @type {HTMLTextAreaElement} */ (make("textarea", ""));
    field.id = id;
    field.value = content;
    field.rows = 2;
    field.dir = "auto";
    field.dataset.role = role;
    const item = make("li", "turn");
    const remove = makeButton("Remove", "", () => this.#remove(item));
    remove.setAttribute("aria-label", `Remove this turn: ${roleWords[role]}`);
    item.append(make("div", "turn-head", label, remove), field);
    return item;
  }

  /** The focus goes to the turn beside, for it must not fall to the top of the page. @param {HTMLElement} item */
  #remove(item) {
    const beside = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    const field = beside?.querySelector("textarea") ?? $("add-turn");
    field.focus();
    this.changed();
  }
}

/** The answer at the end, and what is before it. @param {Message[]} messages @returns {{history: Message[], answer: string}} */
export function split(messages) {
  const last = messages[messages.length - 1];
  if (last?.role !== "assistant") return { history: messages, answer: "" };
  return { history: messages.slice(0, -1), answer: last.content };
}
