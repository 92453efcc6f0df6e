// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Numbers as people read them.

/** @param {number} p a probability @returns {string} "0.4 %"; never 0 % or 100 % for what is not exactly that */
export function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return `${(100 * p).toFixed(1)} %`;
}

/** @param {number} ms */
export const milliseconds = (ms) => `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** @param {number} n @param {string} noun */
export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
