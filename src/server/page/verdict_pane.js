// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { $, bringIntoView, say } from "./elements.js";
import { makeOpinion, sayFindings } from "./opinion_card.js";
import { opinionOfAnswer, opinionOfPrompt, opinionOfVerdict } from "./opinions.js";
import { TokenFlow } from "./token_flow.js";

/** @import { AnswerStream } from "./answer_stream.js" */
/** @import { Finding } from "./findings.js" */
/** @import { Token, Verdict } from "./server.js" */

/** The verdict's part of the page: the summary, the answer token by token, and what each model says. */
export class VerdictPane {
  #flow = new TokenFlow($("flow"), $("tip"));

  constructor() {
    $("to-decision").addEventListener("click", () => this.#flow.focus(this.#flow.deciding));
  }

  /** @param {string} text */
  say(text) {
    say($("summary"), text);
  }

  /** @param {Finding[]} findings */
  sayFindings(findings) {
    sayFindings($("summary"), findings);
  }

  bringIntoView() {
    bringIntoView($("verdict"));
  }

  /** Whether the conversation or the models have changed since the verdict, where there is one. @param {boolean} stale */
  setStale(stale) {
    $("stale").hidden = !stale || document.querySelector(".card:not([hidden])") === null;
  }

  /** The answer before anything is known of it, so that nothing on the page moves when its verdicts come.
   * @param {string} answer @param {string} model that reads along, or none */
  await(answer, model) {
    $("flow-part").hidden = !model;
    if (!model) return;
    $("answer-card").hidden = false;
    this.#flow.show(answer, [], null);
    $("answer-opinions").replaceChildren(makeOpinion(
      { who: `${model}, token by token`, severity: null, word: "Not judged yet", action: "none", lines: [] }));
  }

  /** What a Gen model says. @param {"prompt"|"answer"} what @param {Verdict} verdict @param {string} model @param {number} tripMs */
  showWhole(what, verdict, model, tripMs) {
    $(`${what}-card`).hidden = false;
    $(`${what}-opinions`).append(makeOpinion(opinionOfVerdict(verdict, model, tripMs)));
  }

  /** @param {AnswerStream} stream */
  showPrompt(stream) {
    $("prompt-card").hidden = false;
    $("prompt-opinions").append(makeOpinion(opinionOfPrompt(stream)));
  }

  /** @param {AnswerStream} stream @param {string} answer all of it, judged or not @param {"running"|"typing"|"ended"} state */
  showAnswer(stream, answer, state) {
    $("answer-card").hidden = false;
    $("flow-part").hidden = false;
    this.#flow.show(answer, stream.tokens, stream.decision);
    $("to-decision").hidden = this.#flow.deciding < 0;
    if (stream.decision) {
      $("answer-opinions").replaceChildren(makeOpinion(opinionOfAnswer(stream, state)));
    }
  }

  /** An answer of which only these tokens are known, and no decision. @param {string} answer @param {Token[]} tokens */
  showTokens(answer, tokens) {
    this.#flow.show(answer, tokens, null);
    $("answer-card").hidden = false;
    $("answer-opinions").replaceChildren();
    $("to-decision").hidden = true;
  }

  /** A run broke off: what was found stands, and nothing that was not judged looks Safe. @param {Finding[]} found */
  showBroken(found) {
    sayFindings($("summary"), found, found.length ? "The rest was not judged." : "Not judged: the server did not finish.");
    if ($("answer-card").hidden || found.some(({ about }) => about === "answer")) return;
    const opinions = $("answer-opinions");
    if (!opinions.querySelector(".chip.unsafe, .chip.controversial")) opinions.replaceChildren();
    opinions.append(makeOpinion({ who: "", severity: null, word: "The rest was not judged", action: "none",
      lines: ["Coloured tokens were judged before the server stopped answering. The rest was not, and that does not mean Safe."] }));
  }

  /** Leaves the summary, which says what comes next. */
  wipe() {
    for (const what of ["prompt", "answer"]) {
      $(`${what}-card`).hidden = true;
      $(`${what}-opinions`).replaceChildren();
    }
    this.#flow.show("", [], null);
    $("to-decision").hidden = true;
    this.setStale(false);
  }
}
