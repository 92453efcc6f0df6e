// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { AnswerStream } from "./answer_stream.js";
import { nextFrame } from "./elements.js";
import { answerFinding, promptFinding, wholeFinding } from "./findings.js";
import { piecesOf } from "./text.js";

/** @import { Finding } from "./findings.js" */
/** @import { Decision, Message, Server, Verdict } from "./server.js" */
/** @import { VerdictPane } from "./verdict_pane.js" */

/** One judging of a conversation from its beginning, by the models that were chosen. */
export class Run {
  /** What was found so far, also where the run breaks off. @type {Finding[]} */
  found = [];

  /** @param {Server} server @param {{gen: string, stream: string}} models @param {VerdictPane} pane @param {AbortSignal} signal */
  constructor(server, models, pane, signal) {
    this.server = server;
    this.models = models;
    this.pane = pane;
    this.signal = signal;
  }

  /** @param {Message[]} history @param {string} answer */
  async judge(history, answer) {
    const { gen, stream } = this.models;
    if (history.length && gen) this.found.push(await this.#whole(history, "prompt"));
    if (stream) await this.#tokenByToken(new AnswerStream(this.server, history, stream, this.signal), answer);
    if (!answer || !gen) return;
    const finding = await this.#whole([...history, { role: "assistant", content: answer }], "answer");
    if (!stream) this.found.push(finding);
  }

  /** The verdict of a Gen model on the last message. @param {Message[]} messages @param {"prompt"|"answer"} what */
  async #whole(messages, what) {
    const begin = performance.now();
    const model = this.models.gen;
    const reply = await this.server.post("v1/chat/completions", { model, messages }, this.signal);
    const trip = performance.now() - begin;
    /** @type {Verdict} */
    const verdict = reply.choices[0].message.qwen3guard;
    this.pane.showWhole(what, verdict, model, trip);
    return wholeFinding(what, verdict);
  }

  /** Finds what no Gen model has said. @param {AnswerStream} stream @param {string} answer */
  async #tokenByToken(stream, answer) {
    try {
      await stream.open();
      if (stream.prompt) {
        this.pane.showPrompt(stream);
        if (!this.found.length) this.found.push(promptFinding(stream.prompt.decision));
      }
      if (answer) this.found.push(await this.#push(stream, answer));
    } finally {
      stream.close();
    }
  }

  /** Pushes an answer piece by piece, and shows each token as soon as it is judged. @param {AnswerStream} stream @param {string} answer */
  async #push(stream, answer) {
    const pieces = piecesOf(answer);
    let text = "";
    for (const [i, piece] of pieces.entries()) {
      text += piece;
      await stream.become(text, i + 1 === pieces.length);
      this.pane.showAnswer(stream, answer, i + 1 === pieces.length ? "ended" : "running");
      await nextFrame();
    }
    return answerFinding(/** @type {Decision} */ (stream.decision), stream.text);
  }
}
