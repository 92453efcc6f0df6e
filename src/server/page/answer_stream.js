// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { byteLength, commonPrefix } from "./text.js";

/** @import { Decision, Message, Server, Token, Update } from "./server.js" */

/** An answer that is judged while it is written: one stream of the server, and what it has said so far. */
export class AnswerStream {
  /** @type {Token[]} */
  tokens = [];
  /** @type {Decision|null} */
  decision = null;
  /** The text that the server has. */
  text = "";
  /** Round trips in milliseconds, one for each push. @type {number[]} */
  trips = [];
  /** The prompt's verdict, which the opening of a stream brings. @type {{decision: Decision}|null} */
  prompt = null;
  promptMs = 0;
  #id = "";

  /** @param {Server} server @param {Message[]} history @param {string} model @param {AbortSignal} signal */
  constructor(server, history, model, signal) {
    this.server = server;
    this.history = history;
    this.model = model;
    this.signal = signal;
  }

  async open() {
    const body = { model: this.model, messages: this.history.length ? this.history : undefined };
    const begin = performance.now();
    const reply = await this.server.post("v1/stream", body, this.signal);
    this.promptMs = performance.now() - begin;
    this.#id = reply.id;
    this.prompt = reply.prompt ?? null;
  }

  /** Makes `text` the answer so far: what differs from the text before is taken back, and the rest pushed.
   * @param {string} text @param {boolean} [end] the answer ends here */
  async become(text, end = false) {
    const kept = commonPrefix(this.text, text);
    /** @type {Record<string, unknown>} */
    const body = { text: text.slice(kept) };
    if (kept < this.text.length) body.rewind_to_byte = byteLength(text.slice(0, kept));
    if (end) body.end = true;
    const begin = performance.now();
    /** @type {Update} */
    const update = await this.server.post(`v1/stream/${encodeURIComponent(this.#id)}`, body, this.signal);
    this.trips.push(performance.now() - begin);
    this.tokens = this.tokens.slice(0, update.first).concat(update.tokens);
    // What came settles tokens before it, too, and what was taken back unsettles some: they are not sent again.
    this.tokens.forEach((token, i) => { token.settled = i < update.n_settled || (i >= update.first && token.settled); });
    this.decision = update.decision;
    this.text = text;
  }

  close() {
    if (this.#id) this.server.forget(this.#id);
    this.#id = "";
  }
}
