// SPDX-License-Identifier: Apache-2.0
// @ts-check
/** What the server refused, or that it could not be reached (status 0). */
export class ServerError extends Error {
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
