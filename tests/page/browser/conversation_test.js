// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { assistant, judge, shownText, tokens, user, withPage } from "./support.js";

/** @param {any} page @param {string} text */
async function paste(page, text) {
  const details = page.locator("#paste");
  if (!await details.evaluate((element) => element.open)) await details.locator("summary").click();
  await page.getByLabel("Text of the conversation").fill(text);
  await page.getByRole("button", { name: "Split into turns" }).click();
}

const note = (page) => page.locator("#paste-note");

test("a pasted conversation becomes turns; what is none is said to be none, and the turns stay", () =>
  withPage(async (page) => {
    await paste(page, "User: How are you?\nSecond line\n\nassistant: Hi <b>you</b>\r\nHUMAN: And now?\n");
    const values = (fields) => fields.evaluateAll((list) => list.map((field) => field.value));
    assert.deepEqual(await values(user(page)), ["How are you?\nSecond line", "And now?"]);
    assert.deepEqual(await values(assistant(page)), ["Hi <b>you</b>"]);
    assert.equal(await note(page).innerText(), "3 turns taken over.");
    await paste(page, "Hello");
    assert.match(await note(page).innerText(), /should begin with "User:"/);
    assert.deepEqual(await values(user(page)), ["How are you?\nSecond line", "And now?"]);
  }));

test("hostile text stays text, in the turns, the tokens and the details", () =>
  withPage(async (page) => {
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
