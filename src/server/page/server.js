// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The server, and what it replies.

import { ServerError } from "./server_error.js";

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

/** The server that this page came from. */
export class Server {
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
