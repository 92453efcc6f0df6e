// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { byteLength, commonPrefix, piecesOf, wellFormed } from "../../../src/server/page/text.js";
import { randomNumbers, randomText } from "./random.js";

test("a text is as long as its bytes of UTF-8, and a lone surrogate is U+FFFD", () => {
  assert.deepEqual(["", "a", "é", "末", "😀", "\ud83d"].map(byteLength), [0, 1, 2, 3, 4, 3]);
  assert.equal(wellFormed("a\ud83db"), "a\ufffdb");
});

test("emojis that begin with the same unit share nothing", () => {
  assert.equal(commonPrefix("😀", "😁"), 0);
  assert.equal(commonPrefix("a👩‍👧", "a👩"), 3);
  assert.equal(commonPrefix("é", "e\u0301"), 0);
});

test("what two texts share begins both, ends between characters, and is the longest that does", () => {
  const below = randomNumbers(1);
  for (let i = 0; i < 2000; ++i) {
    const head = wellFormed(randomText(below, 6));
    const a = head + wellFormed(randomText(below, 4));
    const b = head + wellFormed(randomText(below, 4));
    const n = commonPrefix(a, b);
    assert.equal(a.slice(0, n), b.slice(0, n));
    assert.equal(wellFormed(a.slice(0, n)), a.slice(0, n));
    const [next] = a.slice(n);
    assert.ok(next === undefined || !b.slice(n).startsWith(next), JSON.stringify([a, b, n]));
  }
});

test("pieces make the text again, none splits a character, and there are about 60 at most", () => {
  const below = randomNumbers(2);
  for (let i = 0; i < 300; ++i) {
    const text = wellFormed(randomText(below, 2000));
    const pieces = piecesOf(text);
    assert.equal(pieces.join(""), text);
    assert.ok(pieces.length <= 60 && pieces.every((piece) => piece !== "" && wellFormed(piece) === piece));
  }
  assert.deepEqual(piecesOf(""), []);
});
