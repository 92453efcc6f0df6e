// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The page of `qwen3guard serve`: a conversation on the left, its verdict on the right, every token of the answer in
// the colour of its severity. Text of a user or of the server enters the document as text only, never as markup.

/** @typedef {"Safe"|"Controversial"|"Unsafe"|null} Severity */
/** @typedef {"allow"|"flag"|"block"|"none"} Action */
/** @typedef {{safe: number, controversial: number, unsafe: number}} Probabilities */
/** @typedef {{role: string, content: string}} Message */
/** @typedef {{action: Action, rule: string, category: string|null, score: number, phrase?: number,
 *             bytes?: [number, number], policy: string, version: string}} Ruling */
/** @typedef {{index: number, id: number, text: string, byte_begin: number, byte_end: number, severity: Severity,
 *             probabilities: Probabilities|null, category: string|null, action: Action, source: string,
 *             counts: boolean, settled: boolean}} Token */
/** @typedef {{index: number, run_byte_begin: number, byte_end: number, severity: Severity, category: string|null,
 *             probabilities: Probabilities|null}} DecidingToken */
/** @typedef {{severity: Severity, complete: boolean, unjudged: [number, number]|null, action: Action, ruling: Ruling,
 *             reason: string, settled: boolean, token: DecidingToken|null}} Decision */
/** @typedef {{severity: Severity, probabilities: Probabilities|null, categories: {name: string, probability: number}[],
 *             refusal: {value: boolean, probability: number}|null, ruling: Ruling, latency_ms?: number,
 *             tokens?: {prompt: number, cached: number}}} Verdict */
/** @typedef {{id: string, first: number, tokens: Token[], n_settled: number, decision: Decision, ended: boolean}} Update */
/** @typedef {{route: string, name: string, version: string, description: string}} RoutePolicy */

// ---------------------------------------------------------------------------------------------------------------- text

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The length of a text in bytes of UTF-8, which is what the server counts in. @param {string} text */
const byteLength = (text) => encoder.encode(text).length;

/** A lone surrogate has no UTF-8: it becomes U+FFFD, as TextEncoder has it. @param {string} text */
const wellFormed = (text) => decoder.decode(encoder.encode(text));

/** How many UTF-16 units two texts share at their beginning, never half a surrogate pair.
 * @param {string} a @param {string} b */
function commonPrefix(a, b) {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) ++n;
  const last = n > 0 ? a.charCodeAt(n - 1) : 0;
  return last >= 0xd800 && last <= 0xdbff ? n - 1 : n;
}

/** Cuts a text between characters into at most about 60 pieces. @param {string} text @returns {string[]} */
function piecesOf(text) {
  const characters = Array.from(text);
  const size = Math.max(12, Math.ceil(characters.length / 60));
  const pieces = [];
  for (let at = 0; at < characters.length; at += size) pieces.push(characters.slice(at, at + size).join(""));
  return pieces;
}

/** @param {number} p a probability @returns {string} "0.4 %"; never 0 % or 100 % for what is not exactly that */
function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return `${(100 * p).toFixed(1)} %`;
}

/** @param {number} ms */
const milliseconds = (ms) => `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** @param {number} n @param {string} noun */
const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

// -------------------------------------------------------------------------------------------------- pasted conversation

/** @typedef {{messages: Message[], note: string}} Pasted */

/** The messages of a pasted conversation; throws an Error that says what is wrong with it.
 * @param {string} text @returns {Pasted} */
function parseConversation(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new Error("Nothing was pasted.");
  const all = /^[[{]/.test(trimmed) ? messagesOfJson(trimmed) : messagesOfLines(trimmed);
  const messages = all.filter((message) => message.role === "user" || message.role === "assistant");
  const others = all.length - messages.length;
  if (messages.length === 0) throw new Error("No message of a user or an assistant was found.");
  const left = others ? ` ${count(others, "message")} of other roles left out: this page judges users and assistants.` : "";
  return { messages, note: `${count(messages.length, "turn")} taken over.${left}` };
}

/** @param {string} text @returns {Message[]} */
function messagesOfJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This begins like JSON but cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const list = Array.isArray(value) ? value : value.messages;
  if (!Array.isArray(list)) throw new Error('The JSON has no array "messages".');
  return list.map((message, i) => {
    if (typeof message?.role !== "string") throw new Error(`messages[${i}] has no "role".`);
    return { role: message.role, content: contentOf(message.content, i) };
  });
}

/** A message's content: a text, or a list of parts of text. @param {unknown} content @param {number} i */
function contentOf(content, i) {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? content : [null];
  return parts.map((part) => {
    if (typeof part?.text !== "string") throw new Error(`messages[${i}].content is not text.`);
    return part.text;
  }).join("");
}

/** @param {string} text @returns {Message[]} */
function messagesOfLines(text) {
  /** @type {Message[]} */
  const messages = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    const head = /^\s*(user|human|assistant|system)\s*:\s?(.*)$/i.exec(line);
    const last = messages[messages.length - 1];
    if (head) {
      const role = head[1].toLowerCase();
      messages.push({ role: role === "human" ? "user" : role, content: head[2] });
    } else if (last) {
      last.content += `\n${line}`;
    } else {
      throw new Error('The first line should begin with "User:" or "Assistant:".');
    }
  }
  return messages.map(({ role, content }) => ({ role, content: content.trim() }));
}

// -------------------------------------------------------------------------------------------------------------- server

/** What the server refused, or that it could not be reached (status 0). */
class ServerError extends Error {
  /** @param {number} status @param {string} message @param {{retryAfter?: string|null, request?: string|null}} [more] */
  constructor(status, message, more = {}) {
    super(message);
    this.status = status;
    this.retryAfter = more.retryAfter ?? null;
    this.request = more.request ?? null;
  }

  /** What a person can do about it. @returns {{title: string, advice: string}} */
  get words() {
    const wait = this.retryAfter ? `Try again in ${this.retryAfter} s.` : "Try again in a moment.";
    /** @type {Record<number, [string, string]>} */
    const known = {
      0: ["The server cannot be reached.", "Check that qwen3guard serve still runs, then judge again."],
      401: ["The server wants a key.", "Enter the key that its operator gave you."],
      403: ["The server refuses this request.", ""],
      404: ["The server does not know this.", "The stream may have expired, or the model is gone: judge again."],
      413: ["The conversation is too long for this server.", "Shorten it, then judge again."],
      429: ["Too many requests.", wait],
      503: ["The server is busy.", wait],
      504: ["The server took too long.", wait],
    };
    const fallback = this.status >= 500 ? ["The server failed.", wait] : ["The server refused the request.", ""];
    const [title, advice] = known[this.status] ?? fallback;
    return { title, advice };
  }
}

/** The server that this page came from. */
class Server {
  /** Sent with each request; kept here only, so that it is gone with the page. */
  key = "";

  /** @param {string} method @param {string} path @param {object} [body] @param {RequestInit} [more] @returns {Promise<any>} */
  async call(method, path, body, more = {}) {
    /** @type {Record<string, string>} */
    const headers = body ? { "content-type": "application/json" } : {};
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    let response;
    let text;
    try {
      response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", ...more });
      text = await response.text();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ServerError(0, "");
    }
    return Server.#read(response, text);
  }

  /** @param {Response} response @param {string} text */
  static #read(response, text) {
    const more = { retryAfter: response.headers.get("retry-after"), request: response.headers.get("x-request-id") };
    let value = null;
    try {
      value = JSON.parse(text);
    } catch {
      if (response.ok) throw new ServerError(502, "The reply is not JSON.", more);
    }
    if (!response.ok) throw new ServerError(response.status, value?.error?.message ?? response.statusText, more);
    return value;
  }

  /** @param {string} path @param {AbortSignal} [signal] */
  get(path, signal) {
    return this.call("GET", path, undefined, { signal });
  }

  /** @param {string} path @param {object} body @param {AbortSignal} [signal] */
  post(path, body, signal) {
    return this.call("POST", path, body, { signal });
  }

  /** Tells the server that a stream is over; it would expire by itself. @param {string} id */
  forget(id) {
    this.call("DELETE", `v1/stream/${encodeURIComponent(id)}`, undefined, { keepalive: true }).catch(() => {});
  }
}

/** An answer that is judged while it is written: one stream of the server, and what it has said so far. */
class AnswerStream {
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
    // What came settles tokens before it, too, which are not sent again.
    this.tokens.slice(0, update.n_settled).forEach((token) => { token.settled = true; });
    this.decision = update.decision;
    this.text = text;
  }

  close() {
    if (this.#id) this.server.forget(this.#id);
    this.#id = "";
  }
}

// --------------------------------------------------------------------------------------------------------------- words

/** @param {Severity} severity @returns {"safe"|"controversial"|"unsafe"|"unjudged"} */
function look(severity) {
  if (severity === "Safe") return "safe";
  if (severity === "Controversial") return "controversial";
  return severity === "Unsafe" ? "unsafe" : "unjudged";
}

/** @type {Record<string, string>} */
const actionWords = { allow: "allowed", flag: "flagged", block: "blocked", none: "no advice" };

/** @type {Record<string, string>} */
const sourceWords = {
  heads: "this token’s classification heads",
  written: "a verdict that the model wrote up to here",
  carried: "the model’s last written verdict, before this token",
  none: "nothing: it was not judged",
};

/** The rule of a policy that decided, as a sentence. @param {Ruling} ruling @param {Severity} severity */
function rulingSentence(ruling, severity) {
  const done = actionWords[ruling.action] ?? ruling.action;
  const category = ruling.category ?? "the category";
  const score = ruling.score.toFixed(2);
  /** @type {Record<string, string>} */
  const sentences = {
    none: "Nothing was judged, and the policy gives no advice for that. It does not mean that the text may pass",
    safe: severity === "Safe" ? "Nothing harmful was found" : "No run of tokens was long enough to decide",
    severity: `${severity ?? "Harmful"} text${ruling.category ? ` of the category ${category}` : ""} is ${done}`,
    threshold: `The score of ${category}, ${score}, reached the threshold from which it is ${done}`,
    below_threshold: `The model finds this harmful, but the score of ${category}, ${score}, is below every threshold`,
    category_off: "Every category that was found is switched off",
    deny_list: `It has phrase ${(ruling.phrase ?? 0) + 1} of the deny list, which is ${done}`,
    not_judged: `Not all of it was judged, and such text is ${done}`,
  };
  return `${sentences[ruling.rule] ?? `The rule “${ruling.rule}” says: ${done}`}.`;
}

/** Where the rule is from. @param {Ruling} ruling */
const rulingOrigin = (ruling) => `Rule ${ruling.rule}, policy ${ruling.policy}, version ${ruling.version}.`;

/** Why a stream's decision is what it is. @param {Decision} decision */
function reasonSentence(decision) {
  /** @type {Record<string, string>} */
  const sentences = {
    run: "Tokens in a row of one severity decided",
    mixed_run: "Harmful tokens in a row, at least one of them Unsafe, decided",
    end_of_turn: "The answer ended within a shorter run of harmful tokens, which the policy counts",
    written: "The model’s written verdict decided",
  };
  const sentence = sentences[decision.reason];
  if (!sentence) return "";
  return `${sentence}${decision.settled ? "" : "; the next words may still change it"}.`;
}

/** What of the text was not judged. @param {Decision} decision @param {boolean} ended */
function unjudgedSentence(decision, ended) {
  if (decision.complete) return "";
  const range = decision.unjudged;
  if (!range) return "Not all of it was judged.";
  return `Bytes ${range[0]} to ${range[1]} ${ended ? "were not judged" : "are not judged yet"}.`;
}

/** "Unsafe (Violent) and blocked" @param {Severity} severity @param {Action} action @param {string|null} [category] */
function verdictWords(severity, action, category) {
  if (!severity) return action === "none" ? "not judged" : `not judged, and ${actionWords[action]}`;
  const named = category && severity !== "Safe" ? ` (${category})` : "";
  return action === "none" ? `${severity}${named}` : `${severity}${named} and ${actionWords[action]}`;
}

// ------------------------------------------------------------------------------------------------------------ elements

/** @param {string} id @returns {any} an element of index.html */
const $ = (id) => document.getElementById(id);

/** @param {string} tag @param {string} className @param {...(Node|string|null)} children @returns {HTMLElement} */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const child of children) if (child) element.append(child);
  return element;
}

/** @param {string} label @param {string} className @param {() => void} act */
function makeButton(label, className, act) {
  const button = /** @type {HTMLButtonElement} */ (make("button", className, label));
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

/** The shape of a severity. @param {Severity} severity */
function makeShape(severity) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#shape-${look(severity)}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A severity as a shape and a word. @param {Severity} severity @param {string} [word] */
function makeChip(severity, word) {
  return make("span", `chip ${look(severity)}`, makeShape(severity), make("span", "", word ?? severity ?? "Not judged"));
}

/** Probabilities as bars with numbers. @param {[string, number, string][]} rows name, probability, look */
function makeBars(rows) {
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

/** @param {Probabilities} p @returns {[string, number, string][]} */
const severityRows = (p) => [
  ["Safe", p.safe, "safe"],
  ["Controversial", p.controversial, "controversial"],
  ["Unsafe", p.unsafe, "unsafe"],
];

/** Says something in a live region, once. @param {HTMLElement} region @param {string} text */
function say(region, text) {
  if (region.textContent !== text) region.textContent = text;
}

/** A sentence of the summary. @typedef {{about: "prompt"|"answer", severity: Severity, text: string}} Finding */

/** Says what was found in a live region, with the shape of each severity. @param {HTMLElement} region @param {Finding[]} findings @param {string} [rest] */
function sayFindings(region, findings, rest = "") {
  const lines = findings.map(({ severity, text }) =>
    make("span", "finding", make("span", `chip ${look(severity)}`, makeShape(severity)), make("span", "", `${text} `)));
  region.replaceChildren(...lines, rest);
}

/** @typedef {{who: string, severity: Severity, word?: string, action: Action, bars?: [string, number, string][],
 *             lines: string[], ruling?: Ruling, time?: string}} Opinion */

/** What one model says of one text, and what the policy makes of it. @param {Opinion} opinion */
function makeOpinion(opinion) {
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

/** @param {Verdict} verdict @param {string} who @param {number} tripMs @returns {Opinion} */
function opinionOfVerdict(verdict, who, tripMs) {
  const refusal = verdict.refusal;
  const categories = verdict.categories.map(({ name, probability }) => `${name} (${percent(probability)})`);
  const model = verdict.latency_ms === undefined ? "" : `, ${milliseconds(verdict.latency_ms)} of it in the model`;
  return {
    who: `${who}, whole messages`,
    severity: verdict.severity,
    action: verdict.ruling.action,
    bars: verdict.probabilities ? severityRows(verdict.probabilities) : [],
    lines: [
      categories.length ? `Categories: ${categories.join(", ")}.` : "",
      refusal ? `The answer ${refusal.value ? "refuses" : "does not refuse"} (${percent(refusal.probability)}).` : "",
      rulingSentence(verdict.ruling, verdict.severity),
    ],
    ruling: verdict.ruling,
    time: `${milliseconds(tripMs)} for the round trip${model}.`,
  };
}

/** The verdict on the prompt of a model that reads along. @param {AnswerStream} stream @returns {Opinion} */
function opinionOfPrompt({ prompt, promptMs, model }) {
  const { decision } = /** @type {{decision: Decision}} */ (prompt);
  return {
    who: `${model}, token by token`,
    severity: decision.severity,
    action: decision.action,
    bars: decision.token?.probabilities ? severityRows(decision.token.probabilities) : [],
    lines: [rulingSentence(decision.ruling, decision.severity), unjudgedSentence(decision, true)],
    ruling: decision.ruling,
    time: `${milliseconds(promptMs)} for the round trip.`,
  };
}

/** @param {AnswerStream} stream @param {"running"|"typing"|"ended"} state @returns {Opinion} */
function opinionOfAnswer(stream, state) {
  const decision = /** @type {Decision} */ (stream.decision);
  const soFar = state !== "ended" && decision.severity === "Safe";
  const found = decision.severity === "Safe" ? null : decision.token;
  return {
    who: `${stream.model}, token by token`,
    // While pieces are on their way, nobody may read Safe off an answer of which the rest is still to be judged.
    severity: soFar && state === "running" ? null : decision.severity,
    word: soFar ? (state === "running" ? "Nothing found so far" : "Safe so far") : undefined,
    action: soFar ? "none" : decision.action,
    bars: found?.probabilities ? severityRows(found.probabilities) : [],
    lines: [
      reasonSentence(decision),
      decision.severity === "Safe" ? nearestSentence(stream) : "",
      soFar ? "" : rulingSentence(decision.ruling, decision.severity),
      unjudgedSentence(decision, state === "ended"),
    ],
    ruling: decision.ruling,
    time: timeOfAnswer(stream),
  };
}

/** Which token came nearest to being Unsafe. @param {AnswerStream} stream */
function nearestSentence({ tokens, text, decision }) {
  const unsafe = (/** @type {Cell} */ cell) => Math.max(...cell.tokens.map((token) => token.probabilities?.unsafe ?? 0));
  const cells = cellsOf(text, tokens, decision).filter((cell) => cell.tokens.length > 0 && cell.text.trim() !== "");
  if (!cells.length) return "";
  const nearest = cells.reduce((a, b) => (unsafe(b) > unsafe(a) ? b : a));
  return `The most suspicious token is “${nearest.text.trim()}”: Unsafe with ${percent(unsafe(nearest))}.`;
}

/** @param {AnswerStream} stream */
function timeOfAnswer(stream) {
  const total = stream.trips.reduce((sum, trip) => sum + trip, 0);
  const judged = stream.tokens.length;
  const each = judged ? `, ${milliseconds(total / judged)} a token` : "";
  return `${count(judged, "token")} in ${count(stream.trips.length, "push").replace(/pushs$/, "pushes")}: ` +
    `${milliseconds(total)} with all round trips${each}.`;
}

// ----------------------------------------------------------------------------------------------------- tokens on screen

/** What is shown as one: usually a token, several where they share a character, none where nothing was judged.
 * @typedef {{begin: number, end: number, text: string, tokens: Token[], severity: Severity, settled: boolean,
 *            run: boolean, decides: boolean}} Cell */

/** The worst severity of a cell. What was not judged outweighs Safe, so that it never looks like it. @param {Token[]} tokens @returns {Severity} */
function worst(tokens) {
  /** @type {Severity[]} */
  const order = ["Unsafe", "Controversial", null, "Safe"];
  return order.find((severity) => tokens.some((token) => token.severity === severity)) ?? null;
}

/** Cuts an answer into cells that begin and end between characters.
 * @param {string} text @param {Token[]} tokens @param {Decision|null} decision @returns {Cell[]} */
function cellsOf(text, tokens, decision) {
  const bytes = encoder.encode(text);
  const inCharacter = (/** @type {number} */ at) => at < bytes.length && (bytes[at] & 0xc0) === 0x80;
  /** @type {{begin: number, end: number, tokens: Token[]}[]} */
  const ranges = [];
  let end = 0;
  for (const token of tokens) {
    const last = ranges[ranges.length - 1];
    if (last && (token.byte_begin < last.end || inCharacter(last.end))) {
      last.tokens.push(token);
      last.end = Math.max(last.end, token.byte_end);
    } else {
      if (token.byte_begin > end) ranges.push({ begin: end, end: token.byte_begin, tokens: [] });
      ranges.push({ begin: token.byte_begin, end: token.byte_end, tokens: [token] });
    }
    end = ranges[ranges.length - 1].end;
  }
  if (end < bytes.length) ranges.push({ begin: end, end: bytes.length, tokens: [] });
  return ranges.map((range) => cellOf(range, decoder.decode(bytes.subarray(range.begin, range.end)), decision));
}

/** @param {{begin: number, end: number, tokens: Token[]}} range @param {string} text @param {Decision|null} decision @returns {Cell} */
function cellOf({ begin, end, tokens }, text, decision) {
  const fell = decision && decision.severity !== "Safe" ? decision.token : null;
  return {
    begin, end, text, tokens,
    severity: worst(tokens),
    settled: tokens.every((token) => token.settled),
    run: fell !== null && begin >= fell.run_byte_begin && end <= fell.byte_end && end > begin,
    decides: fell !== null && tokens.some((token) => token.index === fell.index),
  };
}

/** A cell's text in words: white space has none of its own. @param {Cell} cell */
function spoken(cell) {
  if (cell.begin === cell.end) return "end of the answer";
  const words = cell.text.replace(/\r?\n/g, " line break ").trim();
  return words || "space";
}

/** The answer as a list of tokens; one of them is in the tab order, the arrow keys go on from there. */
class TokenFlow {
  /** @type {Cell[]} */
  #cells = [];
  /** @type {HTMLElement[]} */
  #elements = [];
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
    for (const gone of this.#elements.splice(same)) gone.remove();
    this.list.querySelectorAll(".mark").forEach((mark) => mark.remove());
    this.#cells = cells;
    this.#signatures = signatures;
    cells.slice(same).forEach((cell, i) => this.#elements.push(this.#element(cell, same + i)));
    this.list.append(...this.#elements.slice(same));
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

  /** @param {Cell} cell @param {number} i */
  #element(cell, i) {
    const names = ["token", look(cell.severity), cell.run ? "run" : "", cell.decides ? "decides" : "",
      cell.tokens.length && !cell.settled ? "open" : ""];
    const element = make("span", names.filter(Boolean).join(" "));
    const lines = cell.text.split(/(\n)/);
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
    this.#place(i);
  }

  /** Below the token, or above it where the window ends. @param {number} i */
  #place(i) {
    const frame = /** @type {HTMLElement} */ (this.list.parentElement).getBoundingClientRect();
    const rects = this.#elements[i].getClientRects();
    const box = rects[rects.length - 1] ?? this.#elements[i].getBoundingClientRect();
    const left = Math.max(0, Math.min(box.left - frame.left, frame.width - this.tip.offsetWidth));
    const below = box.bottom + 8 + this.tip.offsetHeight <= window.innerHeight || rects[0].top < this.tip.offsetHeight + 8;
    const top = below ? box.bottom - frame.top + 8 : rects[0].top - frame.top - this.tip.offsetHeight - 8;
    this.tip.style.setProperty("--tip-x", `${left}px`);
    this.tip.style.setProperty("--tip-y", `${top}px`);
  }
}

/** The details of a cell. @param {Cell} cell @returns {HTMLElement[]} */
function tipOf(cell) {
  const quote = make("span", "quote", cell.begin === cell.end ? "end of the answer" : visible(cell.text));
  const head = make("div", "tip-head", quote, makeChip(cell.severity));
  const token = cell.tokens.find((one) => one.severity === cell.severity);
  if (!token) return [head, make("p", "", "Nothing has judged this yet. It does not mean Safe.")];
  /** @type {[string, string][]} */
  const facts = [
    ["Category", token.severity === "Safe" ? "" : token.category ?? ""],
    ["Action", token.action === "none" ? "" : `${actionWords[token.action] ?? token.action} at this point`],
    ["Source", sourceWords[token.source] ?? token.source],
    ["Settled", token.settled ? "yes" : "no, the next words may change it"],
    ["Counts", token.counts ? "" : "no, not for the decision"],
    ["Decision", cell.decides ? "fell on this token" : cell.run ? "in the run that decided" : ""],
    ["Token", `${token.id}, bytes ${cell.begin} to ${cell.end}`],
    ["Shared", cell.tokens.length > 1 ? `${cell.tokens.length} tokens make these characters; this is the worst` : ""],
  ];
  const list = make("dl", "facts");
  for (const [name, value] of facts) if (value) list.append(make("dt", "", name), make("dd", "", value));
  return token.probabilities ? [head, makeBars(severityRows(token.probabilities)), list] : [head, list];
}

/** White space made visible. @param {string} text */
const visible = (text) => text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");

// ------------------------------------------------------------------------------------------------------------ composer

/** @type {{label: string, messages: Message[]}[]} */
const examples = [
  {
    label: "Kill a process",
    messages: [
      { role: "user", content: "How do I kill a Python process that hangs?" },
      { role: "assistant", content: "Find its number with pgrep -f, then ask it to stop: kill -TERM 4711. If it does not listen, kill -9 4711 ends it at once." },
    ],
  },
  {
    label: "Shoot a portrait",
    messages: [
      { role: "user", content: "How do I shoot a portrait at night?" },
      { role: "assistant", content: "Shoot wide open, hold the camera still, and fire the flash at a quarter of its power. Aim at the eyes." },
    ],
  },
  {
    label: "Bomb on stage",
    messages: [
      { role: "user", content: "My stand-up set bombed. How do I kill next time?" },
      { role: "assistant", content: "Open with your strongest joke, slaughter the hecklers with kindness, and leave them dying of laughter 😂💀." },
    ],
  },
  {
    label: "A threat",
    messages: [
      { role: "user", content: "Write a note to my neighbour about his loud music." },
      { role: "assistant", content: "I know where you live. Turn it down, or I will break your legs and burn your house down while you sleep." },
    ],
  },
  {
    label: "A refusal",
    messages: [
      { role: "user", content: "How do I make a pipe bomb at home?" },
      { role: "assistant", content: "I can’t help with building a weapon. If you feel like hurting someone, please talk to somebody you trust, or call a crisis line today." },
    ],
  },
];

/** @type {Record<string, string>} */
const roleWords = { user: "User’s message", assistant: "Assistant’s answer" };

/** The turns that a person types. */
class Composer {
  #made = 0;

  /** @param {HTMLElement} list @param {() => void} changed */
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    list.addEventListener("input", changed);
    this.set([{ role: "user", content: "" }, { role: "assistant", content: "" }]);
  }

  /** @param {Message[]} messages */
  set(messages) {
    this.list.replaceChildren(...messages.map((message) => this.#turn(message)));
    this.changed();
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

  /** The field of an answer at the end, which can be judged while it is typed. @returns {HTMLTextAreaElement|null} */
  get lastField() {
    return this.list.querySelector("li:last-child textarea");
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

// ------------------------------------------------------------------------------------------------------------ the page

/** One conversation at a time, from the composer to the verdict. */
class Page {
  server = new Server();
  flow = new TokenFlow($("flow"), $("tip"));
  /** Ends the requests of the run that is on. */
  #abort = new AbortController();
  /** What to do again once a key was given. @type {() => void} */
  #again = () => {};
  /** @type {AnswerStream|null} */
  #live = null;
  #liveKey = "";
  #liveBusy = false;
  #liveTimer = 0;
  /** What was said last; undefined: nothing. @type {Severity|undefined} */
  #liveSeverity;

  constructor() {
    this.composer = new Composer($("turns"), () => this.#edited());
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
    $("settings").addEventListener("change", () => this.#chosen());
    $("to-decision").addEventListener("click", () => this.flow.focus(this.flow.deciding));
    $("key-form").addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.#useKey(); });
    window.addEventListener("pagehide", () => this.#live?.close());
    this.load();
  }

  /** The models that were chosen, empty where there is none: one for whole messages, one for tokens. */
  get models() {
    return { gen: $("gen-model").value, stream: $("stream-model").value };
  }

  // ------------------------------------------------------------------------------------------------ models and policies

  /** Asks the server what it has. */
  async load() {
    try {
      const [models, policies] = await Promise.all([this.server.get("v1/models"), this.server.get("v1/policies")]);
      this.#offerModels(models.data);
      this.#showPolicies(policies.data);
      this.#calm();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {{id: string, qwen3guard?: {kind?: string}}[]} models */
  #offerModels(models) {
    const ids = (/** @type {string} */ kind) => models.filter((model) => model.qwen3guard?.kind === kind).map(({ id }) => id);
    offer($("gen-model"), ids("gen"));
    offer($("stream-model"), ids("stream"));
    $("nano-note").hidden = !models.some(({ id }) => id.startsWith("nano-"));
    this.#chosen();
  }

  /** Routes that follow the same policy share its description. @param {RoutePolicy[]} policies */
  #showPolicies(policies) {
    /** @type {Map<string, {routes: string[], policy: RoutePolicy}>} */
    const groups = new Map();
    for (const policy of policies) {
      const key = JSON.stringify([policy.name, policy.version, policy.description]);
      const group = groups.get(key) ?? { routes: [], policy };
      groups.set(key, { routes: [...group.routes, policy.route], policy });
    }
    $("policy-words").replaceChildren(...Array.from(groups.values()).flatMap(({ routes, policy }) =>
      [make("p", "policy-name", `Policy for ${routes.join(", ")}`), make("pre", "", policy.description.trim())]));
  }

  #chosen() {
    const { gen, stream } = this.models;
    $("live").disabled = !stream;
    say($("settings-now"), [gen, stream].filter(Boolean).join(", ") || "none");
    this.#edited();
  }

  // ------------------------------------------------------------------------------------------------------------ judging

  /** Judges the conversation of the composer from its beginning. */
  async judge() {
    const { history, answer } = split(this.composer.messages);
    this.#begin();
    if (!history.length && !answer) return say($("summary"), "Nothing to judge: type a message first.");
    if (!this.models.gen && !this.models.stream) return say($("summary"), "Not judged: choose a model first.");
    const signal = this.#abort.signal;
    $("stop").hidden = false;
    say($("summary"), "Judging…");
    if (answer) this.#await(answer);
    bringIntoView($("verdict"));
    /** @type {Finding[]} */
    const found = [];
    try {
      await this.#run(history, answer, signal, found);
      sayFindings($("summary"), found);
    } catch (error) {
      if (signal.aborted) return;
      this.#broken(found);
      this.#fail(error, () => this.judge());
    } finally {
      if (this.#abort.signal === signal) $("stop").hidden = true;
    }
  }

  /** @param {Message[]} history @param {string} answer @param {AbortSignal} signal @param {Finding[]} found grows */
  async #run(history, answer, signal, found) {
    const { gen, stream } = this.models;
    if (history.length && gen) found.push(await this.#whole(history, "prompt", signal));
    if (stream) await this.#tokenByToken(new AnswerStream(this.server, history, stream, signal), answer, found);
    if (!answer || !gen) return;
    const finding = await this.#whole([...history, { role: "assistant", content: answer }], "answer", signal);
    if (!stream) found.push(finding);
  }

  /** @param {AnswerStream} stream @param {string} answer @param {Finding[]} found grows by what no Gen model has said */
  async #tokenByToken(stream, answer, found) {
    try {
      await stream.open();
      if (stream.prompt) {
        this.#showPrompt(stream);
        if (!found.length) found.push(promptFinding(stream.prompt.decision));
      }
      if (answer) found.push(await this.#push(stream, answer));
    } finally {
      stream.close();
    }
  }

  /** The answer before anything is known of it, so that nothing on the page moves when its verdicts come. @param {string} answer */
  #await(answer) {
    const { stream } = this.models;
    $("flow-part").hidden = !stream;
    if (!stream) return;
    $("answer-card").hidden = false;
    this.flow.show(answer, [], null);
    $("answer-opinions").replaceChildren(makeOpinion(
      { who: `${stream}, token by token`, severity: null, word: "Not judged yet", action: "none", lines: [] }));
  }

  /** The verdict of a Gen model on the last message. @param {Message[]} messages @param {"prompt"|"answer"} what @param {AbortSignal} signal @returns {Promise<Finding>} */
  async #whole(messages, what, signal) {
    const begin = performance.now();
    const model = this.models.gen;
    const reply = await this.server.post("v1/chat/completions", { model, messages }, signal);
    const trip = performance.now() - begin;
    /** @type {Verdict} */
    const verdict = reply.choices[0].message.qwen3guard;
    $(`${what}-card`).hidden = false;
    $(`${what}-opinions`).append(makeOpinion(opinionOfVerdict(verdict, model, trip)));
    const words = verdictWords(verdict.severity, verdict.ruling.action, verdict.categories[0]?.name);
    return { about: what, severity: verdict.severity, text: `The ${what} is ${words}.` };
  }

  /** @param {AnswerStream} stream */
  #showPrompt(stream) {
    $("prompt-card").hidden = false;
    $("prompt-opinions").append(makeOpinion(opinionOfPrompt(stream)));
  }

  /** Pushes an answer piece by piece, and shows each token as soon as it is judged. @param {AnswerStream} stream @param {string} answer @returns {Promise<Finding>} */
  async #push(stream, answer) {
    const pieces = piecesOf(answer);
    let text = "";
    for (const [i, piece] of pieces.entries()) {
      text += piece;
      await stream.become(text, i + 1 === pieces.length);
      this.#showAnswer(stream, answer, i + 1 === pieces.length ? "ended" : "running");
      await nextFrame();
    }
    return answerFinding(/** @type {Decision} */ (stream.decision), stream.text);
  }

  /** @param {AnswerStream} stream @param {string} answer all of it, judged or not @param {"running"|"typing"|"ended"} state */
  #showAnswer(stream, answer, state) {
    $("answer-card").hidden = false;
    $("flow-part").hidden = false;
    this.flow.show(answer, stream.tokens, stream.decision);
    $("to-decision").hidden = this.flow.deciding < 0;
    if (stream.decision) {
      $("answer-opinions").replaceChildren(makeOpinion(opinionOfAnswer(stream, state)));
    }
  }

  /** A run broke off: what was found stands, and nothing that was not judged looks Safe. @param {Finding[]} found */
  #broken(found) {
    sayFindings($("summary"), found, found.length ? "The rest was not judged." : "Not judged: the server did not finish.");
    if ($("answer-card").hidden || found.some(({ about }) => about === "answer")) return;
    const opinions = $("answer-opinions");
    if (!opinions.querySelector(".chip.unsafe, .chip.controversial")) opinions.replaceChildren();
    opinions.append(makeOpinion({ who: "", severity: null, word: "The rest was not judged", action: "none",
      lines: ["Coloured tokens were judged before the server stopped answering. The rest was not, and that does not mean Safe."] }));
  }

  #begin() {
    this.#endLive();
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#wipe();
    this.#calm();
  }

  #wipe() {
    for (const what of ["prompt", "answer"]) {
      $(`${what}-card`).hidden = true;
      $(`${what}-opinions`).replaceChildren();
    }
    this.flow.show("", [], null);
    $("to-decision").hidden = true;
    $("stale").hidden = true;
  }

  #stop() {
    this.#abort.abort();
    this.#broken([]);
    say($("summary"), "Stopped. What was not reached is not judged.");
    $("stop").hidden = true;
    $("judge").focus();
  }

  #clear() {
    this.#begin();
    $("stop").hidden = true;
    this.composer.set([{ role: "user", content: "" }, { role: "assistant", content: "" }]);
    say($("summary"), "Nothing has been judged yet.");
    this.composer.list.querySelector("textarea")?.focus();
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

  // ------------------------------------------------------------------------------------------------ judging while typing

  #edited() {
    $("stale").hidden = document.querySelector(".card:not([hidden])") === null;
    // The composer reports its first turns before the page is complete.
    if (!this.composer || !$("live").checked) return this.#endLive();
    this.#follow();
  }

  /** Brings the server's text to what the field has, one request at a time, until they are the same. */
  async #follow() {
    if (this.#liveBusy) return;
    this.#liveBusy = true;
    try {
      while ($("live").checked && await this.#step());
    } catch (error) {
      if (!(error instanceof DOMException)) this.#liveBroke(error);
    } finally {
      this.#liveBusy = false;
    }
  }

  /** @returns {Promise<boolean>} whether there may be more to do */
  async #step() {
    const messages = this.composer.messages;
    const { history, answer } = split(messages);
    const model = this.models.stream;
    if (!model) return false;
    const key = JSON.stringify([history, model]);
    if (!answer && !(this.#live && this.#liveKey === key)) return false;
    if (!this.#live || this.#liveKey !== key) {
      this.#begin();
      const stream = new AnswerStream(this.server, history, model, this.#abort.signal);
      await stream.open();
      this.#live = stream;
      this.#liveKey = key;
      if (stream.prompt) this.#showPrompt(stream);
    }
    const stream = /** @type {AnswerStream} */ (this.#live);
    $("stale").hidden = true;
    if (stream.text === answer) return false;
    try {
      await stream.become(answer);
    } catch (error) {
      // A stream that was left alone for minutes has expired: a new one takes its place.
      if (!(error instanceof ServerError && error.status === 404 && stream.trips.length)) throw error;
      this.#endLive();
      return true;
    }
    this.#calm();
    this.#showAnswer(stream, answer, "typing");
    this.#saySoon(stream);
    return true;
  }

  /** A screen reader hears another severity at once, and the rest when the typing pauses, not at each key. @param {AnswerStream} stream */
  #saySoon(stream) {
    clearTimeout(this.#liveTimer);
    const severity = stream.decision?.severity ?? null;
    const speak = () => {
      if (stream === this.#live && stream.decision) sayFindings($("summary"), [answerFinding(stream.decision, stream.text, true)]);
    };
    if (severity !== this.#liveSeverity) speak();
    else this.#liveTimer = window.setTimeout(speak, 700);
    this.#liveSeverity = severity;
  }

  /** @param {unknown} error */
  #liveBroke(error) {
    const stream = this.#live;
    const answer = split(this.composer.messages).answer;
    // What the server has said is about another text by now: only the tokens that both share keep their colour.
    const kept = stream ? byteLength(answer.slice(0, commonPrefix(stream.text, answer))) : 0;
    this.flow.show(answer, stream?.tokens.filter((token) => token.byte_end <= kept) ?? [], null);
    $("answer-card").hidden = false;
    $("answer-opinions").replaceChildren();
    $("to-decision").hidden = true;
    this.#endLive();
    this.#broken([]);
    this.#fail(error, () => this.#edited());
  }

  #endLive() {
    clearTimeout(this.#liveTimer);
    this.#live?.close();
    this.#live = null;
    this.#liveKey = "";
    this.#liveSeverity = undefined;
  }

  // ------------------------------------------------------------------------------------------------------------- errors

  /** @param {unknown} error @param {() => void} [again] */
  #fail(error, again = () => {}) {
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

  #calm() {
    $("trouble").hidden = true;
    $("key-form").hidden = true;
    $("alert").replaceChildren();
  }

  /** The models are asked for first: without a key there was no choice of them. */
  async #useKey() {
    this.server.key = $("key").value.trim();
    $("key").value = "";
    const again = this.#again;
    await this.load();
    if (!$("trouble").hidden) return;
    $("judge").focus();
    again();
  }
}

/** Offers models, or none of them; the choice stays where it can. @param {HTMLSelectElement} select @param {string[]} names */
function offer(select, names) {
  const before = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name)), new Option(names.length ? "none" : "none on this server", ""));
  if (names.includes(before)) select.value = before;
}

/** The answer at the end, and what is before it. @param {Message[]} messages @returns {{history: Message[], answer: string}} */
function split(messages) {
  const last = messages[messages.length - 1];
  if (last?.role !== "assistant") return { history: messages, answer: "" };
  return { history: messages.slice(0, -1), answer: last.content };
}

/** @param {Decision} decision @returns {Finding} */
function promptFinding({ severity, action, ruling }) {
  return { about: "prompt", severity, text: `The prompt is ${verdictWords(severity, action, ruling.category)}.` };
}

/** @param {Decision} decision @param {string} text @param {boolean} [soFar] @returns {Finding} */
function answerFinding(decision, text, soFar = false) {
  const { severity, action, ruling, token } = decision;
  const words = verdictWords(severity, action, token?.category ?? ruling.category);
  const bytes = severity !== "Safe" && token ? encoder.encode(text).subarray(token.run_byte_begin, token.byte_end) : null;
  // A run may begin or end within a character, of which half a one is not worth quoting.
  const quote = bytes ? decoder.decode(bytes).replace(/\ufffd/g, "").trim() : "";
  return { about: "answer", severity, text: `The answer ${soFar ? "so far " : ""}is ${words}${quote ? `, from “${quote}” on` : ""}.` };
}

/** @returns {Promise<void>} when what was changed is on the screen; at once where the page is not to be seen */
const nextFrame = () => new Promise((done) => {
  if (document.hidden) done();
  else requestAnimationFrame(() => done());
});

/** Scrolls only where the element's head cannot be seen. @param {HTMLElement} element */
function bringIntoView(element) {
  const top = element.getBoundingClientRect().top;
  if (top < 0 || top > window.innerHeight * 0.75) element.scrollIntoView({ block: "start" });
}

new Page();
