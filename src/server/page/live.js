// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { AnswerStream } from "./answer_stream.js";
import { $ } from "./elements.js";
import { answerFinding } from "./findings.js";
import { ServerError } from "./server_error.js";
import { byteLength, commonPrefix } from "./text.js";

/** @import { Message, Server, Severity } from "./server.js" */
/** @import { Trouble } from "./trouble.js" */
/** @import { VerdictPane } from "./verdict_pane.js" */

/** What the page has to be judged now. @typedef {{history: Message[], answer: string, model: string}} Wanted */

/** Judging while typing: the server's text follows the field's. */
export class Live {
  /** @type {AnswerStream|null} */
  #stream = null;
  /** What the stream is about; another one begins another stream. */
  #key = "";
  #busy = false;
  #timer = 0;
  /** What was said last; undefined: nothing. @type {Severity|undefined} */
  #said;

  /** @param {{server: Server, pane: VerdictPane, trouble: Trouble}} parts of the page
   * @param {() => Wanted} wanted @param {() => AbortSignal} begin ends what is on, this included, and clears the page */
  constructor({ server, pane, trouble }, wanted, begin) {
    this.server = server;
    this.pane = pane;
    this.trouble = trouble;
    this.wanted = wanted;
    this.begin = begin;
    window.addEventListener("pagehide", () => this.#stream?.close());
  }

  /** The conversation, the models or the wish to follow may have changed. */
  update() {
    if ($("live").checked) this.#follow();
    else this.end();
  }

  end() {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
    this.#key = "";
    this.#said = undefined;
  }

  /** Brings the server's text to what the field has, one request at a time, until they are the same. */
  async #follow() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while ($("live").checked && await this.#step());
    } catch (error) {
      if (!(error instanceof DOMException)) this.#broke(error);
    } finally {
      this.#busy = false;
    }
  }

  /** @returns {Promise<boolean>} whether there may be more to do */
  async #step() {
    const { history, answer, model } = this.wanted();
    if (!model) return false;
    const key = JSON.stringify([history, model]);
    if (!answer && !(this.#stream && this.#key === key)) return false;
    if (!this.#stream || this.#key !== key) {
      const stream = new AnswerStream(this.server, history, model, this.begin());
      await stream.open();
      this.#stream = stream;
      this.#key = key;
      if (stream.prompt) this.pane.showPrompt(stream);
    }
    const stream = /** @type {AnswerStream} */ (this.#stream);
    this.pane.setStale(false);
    if (stream.text === answer) return false;
    try {
      await stream.become(answer);
    } catch (error) {
      // A stream that was left alone for minutes has expired: a new one takes its place.
      if (!(error instanceof ServerError && error.status === 404 && stream.trips.length)) throw error;
      this.end();
      return true;
    }
    this.trouble.hide();
    this.pane.showAnswer(stream, answer, "typing");
    this.#saySoon(stream);
    return true;
  }

  /** A screen reader hears another severity at once, and the rest when the typing pauses, not at each key. @param {AnswerStream} stream */
  #saySoon(stream) {
    clearTimeout(this.#timer);
    const severity = stream.decision?.severity ?? null;
    const speak = () => {
      if (stream === this.#stream && stream.decision) this.pane.sayFindings([answerFinding(stream.decision, stream.text, true)]);
    };
    if (severity !== this.#said) speak();
    else this.#timer = window.setTimeout(speak, 700);
    this.#said = severity;
  }

  /** @param {unknown} error */
  #broke(error) {
    const stream = this.#stream;
    const { answer } = this.wanted();
    // What the server has said is about another text by now: only the tokens that both share keep their colour.
    const kept = stream ? byteLength(answer.slice(0, commonPrefix(stream.text, answer))) : 0;
    this.pane.showTokens(answer, stream?.tokens.filter((token) => token.byte_end <= kept) ?? []);
    this.end();
    this.pane.showBroken([]);
    this.trouble.show(error, () => this.update());
  }
}
