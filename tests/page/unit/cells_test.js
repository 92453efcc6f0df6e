// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { cellsOf, leadingSpace, spoken, visible } from "../../../src/server/page/cells.js";
import { bytesOf, wellFormed } from "../../../src/server/page/text.js";
import { randomNumbers, randomText } from "./random.js";

/** @param {number} index @param {[number, number]} bytes @param {string|null} severity */
const token = (index, [byte_begin, byte_end], severity) => ({ index, byte_begin, byte_end, severity, settled: true });

test("a character of which a token was not judged is not Safe, and one with an Unsafe token is Unsafe", () => {
  const tokens = [token(1, [0, 2], "Safe"), token(2, [2, 4], null), token(3, [4, 5], "Unsafe"), token(4, [5, 6], "Safe"), token(5, [6, 7], null)];
  assert.deepEqual(cellsOf("😀éxyz", tokens, null).map(({ text, severity }) => [text, severity]),
    [["😀", null], ["é", "Unsafe"], ["x", null], ["yz", null]]);
});

test("cells are the text, cut between characters, whatever the tokens are", () => {
  const below = randomNumbers(3);
  const severities = ["Safe", "Controversial", "Unsafe", null];
  for (let i = 0; i < 1000; ++i) {
    const text = wellFormed(randomText(below, 12));
    const judged = below(bytesOf(text).length + 1);
    const tokens = [];
    for (let at = 0; at < judged;) {
      const end = Math.min(judged, at + below(4));
      tokens.push(token(tokens.length, [at, end], severities[below(4)]));
      at = end;
    }
    const cells = cellsOf(text, tokens, null);
    assert.equal(cells.map((cell) => cell.text).join(""), text);
    assert.deepEqual(cells.flatMap((cell) => cell.tokens), tokens);
    for (const cell of cells) {
      assert.equal(wellFormed(cell.text), cell.text);
      const severities = cell.tokens.map(({ severity }) => severity);
      const whole = severities.length > 0 && cell.end <= judged;
      assert.equal(cell.severity === "Safe", whole && severities.every((severity) => severity === "Safe"));
      assert.equal(cell.severity === "Unsafe", severities.includes("Unsafe"));
    }
  }
});

test("the token that decided, and the run before it", () => {
  const tokens = ["Safe", "Unsafe", "Unsafe", "Safe"].map((severity, i) => token(i, [i, i + 1], severity));
  const decision = { severity: "Unsafe", token: { index: 2, run_byte_begin: 1, byte_end: 3 } };
  const cells = cellsOf("abcd", tokens, decision);
  assert.deepEqual(cells.map(({ run }) => run), [false, true, true, false]);
  assert.deepEqual(cells.map(({ decides }) => decides), [false, false, true, false]);
  assert.ok(cellsOf("abcd", tokens, { ...decision, severity: "Safe" }).every(({ run, decides }) => !run && !decides));
});

test("white space has names, and stands apart only before a word", () => {
  const said = (text) => spoken(cellsOf(text, [token(0, [0, bytesOf(text).length], "Safe")], null)[0]);
  assert.deepEqual([" down", "  ", "\n", "a\nb"].map(said), ["down", "space", "line break", "a line break b"]);
  assert.equal(spoken(cellsOf("", [token(0, [0, 0], "Safe")], null)[0]), "end of the answer");
  assert.equal(visible("a b\n\t"), "a␣b↵⇥");
  for (const [text, space, rest] of [
    [" down", " ", "down"], ["\t x y ", "\t ", "x y "], ["down", "", "down"], ["  ", "", "  "], [" \nx", "", " \nx"], ["\nx", "", "\nx"], ["", "", ""],
  ]) assert.deepEqual(leadingSpace(text), [space, rest]);
});
