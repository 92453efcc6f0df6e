// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { $, bringIntoView, make } from "./elements.js";
import { ServerError } from "./server_error.js";

/** What went wrong, and the key that is asked for where the server wants one. */
export class Trouble {
  /** What to do again once a key was given. @type {() => void} */
  #again = () => {};

  /** @param {(key: string) => Promise<void>} useKey takes a key over, and shows or hides the trouble by what comes of it */
  constructor(useKey) {
    this.useKey = useKey;
    $("key-form").addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.#key(); });
  }

  /** @param {unknown} error @param {() => void} [again] */
  show(error, again = () => {}) {
    const known = error instanceof ServerError ? error : new ServerError(502, error instanceof Error ? error.message : String(error));
    const { title, advice } = known.words;
    const request = known.request ? `Request ${known.request}.` : "";
    this.#again = again;
    $("trouble").hidden = false;
    $("key-form").hidden = known.status !== 401;
    const lines = [known.message, advice].filter(Boolean).map((line) => make("p", "", line));
    $("alert").replaceChildren(make("strong", "", title), ...lines, request ? make("p", "hint", request) : "");
    bringIntoView($("trouble"));
    if (known.status === 401) $("key").focus();
  }

  hide() {
    $("trouble").hidden = true;
    $("key-form").hidden = true;
    $("alert").replaceChildren();
  }

  async #key() {
    const key = $("key").value.trim();
    $("key").value = "";
    const again = this.#again;
    await this.useKey(key);
    if (!$("trouble").hidden) return;
    $("judge").focus();
    again();
  }
}
