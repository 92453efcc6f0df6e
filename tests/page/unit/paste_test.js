// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseConversation } from "../../../src/server/page/paste.js";

test("lines that begin with a role become turns", () => {
  assert.deepEqual(parseConversation("User: How are you?\nSecond line\n\nassistant: Fine: thank you.\r\nHUMAN: And now?\n"), {
    messages: [
      { role: "user", content: "How are you?\nSecond line" },
      { role: "assistant", content: "Fine: thank you." },
      { role: "user", content: "And now?" },
    ],
    note: "3 turns taken over.",
  });
});

test("JSON becomes turns, text parts and other roles too, and nothing is left out in silence", () => {
  const messages = [
    { role: "system", content: "Be kind." },
    { role: "user", content: [{ type: "text", text: "Hel" }, { type: "text", text: "lo" }] },
    { role: "assistant", content: "Hi <b>you</b>" },
  ];
  for (const text of [JSON.stringify({ messages }), JSON.stringify(messages), `\n ${JSON.stringify({ messages }, null, 2)}\n`]) {
    const pasted = parseConversation(text);
    assert.deepEqual(pasted.messages, [{ role: "user", content: "Hello" }, { role: "assistant", content: "Hi <b>you</b>" }]);
    assert.match(pasted.note, /2 turns taken over\. 1 message of other roles left out/);
  }
});

for (const [text, says] of [
  ["", /Nothing was pasted/], [" \n", /Nothing was pasted/], ["Hello", /should begin with "User:"/], ["{\"messages\": [", /cannot be read/],
  ["{}", /no array "messages"/], ["[{\"role\":\"user\",\"content\":7}]", /messages\[0\]\.content is not text/],
  ["[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]", /messages\[0\]\.content is not text/], ["[{}]", /messages\[0\] has no "role"/],
  ["[null]", /has no "role"/], ["[]", /No message/], ["System: x", /No message/],
]) {
  test(`no conversation: ${JSON.stringify(text)}`, () => assert.throws(() => parseConversation(text), says));
}
