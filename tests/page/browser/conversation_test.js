// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { assistant, judge, shownText, tokens, useBrowser, user, withPage } from "./support.js";

const context = useBrowser();

/** @param {any} page @param {string} text */
async function paste(page, text) {
  const details = page.locator("#paste");
  if (!await details.evaluate((element) => element.open)) await details.locator("summary").click();
  await page.getByLabel("Text of the conversation").fill(text);
  await page.getByRole("button", { name: "Split into turns" }).click();
}

const note = (page) => page.locator("#paste-note");

test("lines that begin with a role become turns", () =>
  withPage(context, async (page) => {
    await paste(page, "User: How are you?\nSecond line\n\nassistant: Fine: thank you.\r\nHUMAN: And now?\n");
    assert.deepEqual(await user(page).evaluateAll((list) => list.map((field) => field.value)), ["How are you?\nSecond line", "And now?"]);
    assert.deepEqual(await assistant(page).evaluateAll((list) => list.map((field) => field.value)), ["Fine: thank you."]);
    assert.equal(await note(page).innerText(), "3 turns taken over.");
  }));

test("JSON becomes turns, text parts and other roles too, and nothing is left out in silence", () =>
  withPage(context, async (page) => {
    await paste(page, JSON.stringify({ messages: [
      { role: "system", content: "Be kind." },
      { role: "user", content: [{ type: "text", text: "Hel" }, { type: "text", text: "lo" }] },
      { role: "assistant", content: "Hi <b>you</b>" },
    ] }));
    assert.equal(await user(page).inputValue(), "Hello");
    assert.equal(await assistant(page).inputValue(), "Hi <b>you</b>");
    assert.match(await note(page).innerText(), /2 turns taken over\. 1 message of other roles left out/);
    await judge(page);
    assert.equal(await shownText(page), "Hi <b>you</b>");
  }));

test("what is no conversation is said to be none, and the turns stay", () =>
  withPage(context, async (page) => {
    await user(page).fill("kept");
    for (const [text, says] of [
      ["", /Nothing was pasted/], ["Hello", /should begin with "User:"/], ["{\"messages\": [", /cannot be read/], ["{}", /no array "messages"/],
      ["[{\"role\":\"user\",\"content\":7}]", /messages\[0\]\.content is not text/], ["[{}]", /messages\[0\] has no "role"/],
      ["[null]", /has no "role"/], ["[]", /No message/], ["System: x", /No message/],
    ]) {
      await paste(page, text);
      assert.match(await note(page).innerText(), says);
      assert.equal(await user(page).inputValue(), "kept");
    }
  }));

test("hostile text stays text, in the turns, the tokens and the details", () =>
  withPage(context, async (page) => {
    const hostile = "<img src=x onerror=alert(1)> <script>alert(2)</script> &lt; \"'` javascript:alert(3)";
    await paste(page, `User: ${hostile}\nAssistant: ${hostile}`);
    await judge(page);
    assert.equal(await shownText(page), hostile);
    await tokens(page).nth(1).hover();
    assert.equal(await page.locator("main img, main script").count(), 0);

    // Before anything of it was judged, all of it is one thing to point at.
    await page.route("**/v1/stream/*", (route) => (route.request().method() === "POST" ? undefined : route.continue()));
    await page.getByRole("button", { name: "Judge", exact: true }).click();
    await page.locator("#flow .token.unjudged").focus();
    assert.match(await page.getByRole("tooltip").innerText(), /<img␣src=x/);
    assert.equal(await page.locator("main img, main script").count(), 0);
  }));
