// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The page of `qwen3guard serve`: a conversation on the left, its verdict on the right, every token of the answer in
// the colour of its severity. Text of a user or of the server enters the document as text only, never as markup.

import { Composer, split } from "./composer.js";
import { $, makeButton, say } from "./elements.js";
import { examples } from "./examples.js";
import { Live } from "./live.js";
import { parseConversation } from "./paste.js";
import { Run } from "./run.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { Trouble } from "./trouble.js";
import { VerdictPane } from "./verdict_pane.js";

/** One conversation at a time, from the composer to the verdict. */
class Page {
  server = new Server();
  pane = new VerdictPane();
  trouble = new Trouble((key) => this.#useKey(key));
  settings = new Settings(this.server, () => this.#edited());
  composer = new Composer($("turns"), () => this.#edited());
  live = new Live(this, () => ({ ...split(this.composer.messages), model: this.settings.models.stream }), () => this.#begin());
  /** Ends the requests of the run that is on. */
  #abort = new AbortController();

  constructor() {
    const group = document.querySelector(".examples");
    for (const { label, messages } of examples) {
      group?.append(makeButton(label, "", () => { this.composer.set(messages); this.judge(); }));
    }
    $("composer").addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.judge(); });
    $("composer").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      if (event.target === $("paste-text")) this.#paste();
      else this.judge();
    });
    $("add-turn").addEventListener("click", () => this.composer.add());
    $("clear").addEventListener("click", () => this.#clear());
    $("stop").addEventListener("click", () => this.#stop());
    $("paste-use").addEventListener("click", () => this.#paste());
    $("live").addEventListener("change", () => this.#edited());
    this.load();
  }

  /** Asks the server for its models and policies. */
  async load() {
    try {
      await this.settings.load();
      this.trouble.hide();
    } catch (error) {
      this.trouble.show(error);
    }
  }

  /** Judges the conversation of the composer from its beginning. */
  async judge() {
    const { history, answer } = split(this.composer.messages);
    const signal = this.#begin();
    const models = this.settings.models;
    if (!history.length && !answer) return this.pane.say("Nothing to judge: type a message first.");
    if (!models.gen && !models.stream) return this.pane.say("Not judged: choose a model first.");
    $("stop").hidden = false;
    this.pane.say("Judging…");
    if (answer) this.pane.await(answer, models.stream);
    this.pane.bringIntoView();
    const run = new Run(this.server, models, this.pane, signal);
    try {
      await run.judge(history, answer);
      this.pane.sayFindings(run.found);
    } catch (error) {
      if (signal.aborted) return;
      this.pane.showBroken(run.found);
      this.trouble.show(error, () => this.judge());
    } finally {
      if (this.#abort.signal === signal) $("stop").hidden = true;
    }
  }

  /** Ends what is on and clears the page for what begins. @returns {AbortSignal} of what begins */
  #begin() {
    this.live.end();
    this.#abort.abort();
    this.#abort = new AbortController();
    this.pane.wipe();
    this.trouble.hide();
    return this.#abort.signal;
  }

  #stop() {
    this.#abort.abort();
    this.pane.showBroken([]);
    this.pane.say("Stopped. What was not reached is not judged.");
    $("stop").hidden = true;
    $("judge").focus();
  }

  #clear() {
    this.#begin();
    $("stop").hidden = true;
    this.composer.clear();
    this.pane.say("Nothing has been judged yet.");
  }

  #paste() {
    try {
      const { messages, note } = parseConversation($("paste-text").value);
      this.composer.set(messages);
      say($("paste-note"), note);
    } catch (error) {
      say($("paste-note"), error instanceof Error ? error.message : String(error));
    }
  }

  #edited() {
    this.pane.setStale(true);
    this.live.update();
  }

  /** The models are asked for first: without a key there was no choice of them. @param {string} key */
  async #useKey(key) {
    this.server.key = key;
    await this.load();
  }
}

new Page();
