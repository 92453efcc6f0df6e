// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Texts as the server counts them: in bytes of UTF-8, and cut between characters only.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {string} text */
export const bytesOf = (text) => encoder.encode(text);

/** What is not UTF-8 becomes U+FFFD. @param {Uint8Array} bytes */
export const textOf = (bytes) => decoder.decode(bytes);

/** The length of a text in bytes of UTF-8, which is what the server counts in. @param {string} text */
export const byteLength = (text) => bytesOf(text).length;

/** A lone surrogate has no UTF-8: it becomes U+FFFD, as TextEncoder has it. @param {string} text */
export const wellFormed = (text) => textOf(bytesOf(text));

/** How many UTF-16 units two texts share at their beginning, never half a surrogate pair.
 * @param {string} a @param {string} b */
export function commonPrefix(a, b) {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) ++n;
  const last = n > 0 ? a.charCodeAt(n - 1) : 0;
  return last >= 0xd800 && last <= 0xdbff ? n - 1 : n;
}

/** Cuts a text between characters into at most about 60 pieces. @param {string} text @returns {string[]} */
export function piecesOf(text) {
  const characters = Array.from(text);
  const size = Math.max(12, Math.ceil(characters.length / 60));
  const pieces = [];
  for (let at = 0; at < characters.length; at += size) pieces.push(characters.slice(at, at + size).join(""));
  return pieces;
}
