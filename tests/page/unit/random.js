// SPDX-License-Identifier: Apache-2.0
// Texts for property tests: the same ones in every run.

const alphabet = Array.from("ab \t\n.é½שЖ末😀😁👩👧\u200d\ud83d\u0301");

/** A generator of numbers below `n`. @param {number} seed @returns {(n: number) => number} */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** @param {(n: number) => number} below @param {number} most characters */
export const randomText = (below, most) => Array.from({ length: below(most + 1) }, () => alphabet[below(alphabet.length)]).join("");
