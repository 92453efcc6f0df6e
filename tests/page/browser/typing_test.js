// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { assistant, judge, shown, shownText, summary, threat, user, withPage } from "./support.js";

const live = (page) => page.getByLabel("Judge the answer while I type");

/** Waits until the flow has what the field has, and all of it is judged. @param {any} page */
async function settled(page) {
  const text = await assistant(page).inputValue();
  await page.waitForFunction((wanted) => {
    const copy = document.getElementById("flow").cloneNode(true);
    copy.querySelectorAll(".glyph, .mark").forEach((glyph) => glyph.remove());
    return copy.textContent === wanted && !copy.querySelector(".unjudged");
  }, text);
}

test("tokens are coloured while the answer is typed, and corrections give what the whole text gives", () =>
  withPage(async (page) => {
    await user(page).fill(threat.prompt);
    await live(page).check();
    await assistant(page).focus();
    await page.keyboard.type("I like your house, ");
    await settled(page);
    assert.ok((await shown(page)).every(({ severity }) => severity === "safe"));
    await page.keyboard.insertText("größer 😀👩‍👩‍👧 als meins");
    await page.keyboard.type(". I will break your legs");
    await settled(page);

    // In the middle, behind characters of two, three and four bytes; then half of what was there is taken away.
    await assistant(page).evaluate((field) => {
      const at = field.value.indexOf("als meins");
      field.setSelectionRange(at, at);
    });
    await page.keyboard.insertText("é💀 ");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Backspace");
    await settled(page);
    assert.match(await summary(page).innerText(), /answer so far|Nothing|Judging/);
    const typed = await shown(page);
    assert.equal(typed.map(({ text }) => text).join(""), await assistant(page).inputValue());

    await live(page).uncheck();
    await judge(page);
    const judged = (await shown(page)).filter(({ text }) => text !== "");
    assert.deepEqual(typed.filter(({ text }) => text !== ""), judged);
  }));

test("one emoji becomes another that begins with the same bytes, and back", () =>
  withPage(async (page) => {
    await user(page).fill("Hello");
    await live(page).check();
    for (const text of ["😀", "😁", "👩", "👩‍👧", "👩", "", "\ud83d", "e\u0301", "e", "é"]) {
      await assistant(page).evaluate((field, value) => {
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }, text);
      await page.waitForFunction((wanted) => {
        const copy = document.getElementById("flow").cloneNode(true);
        copy.querySelectorAll(".glyph, .mark").forEach((glyph) => glyph.remove());
        return copy.textContent === wanted;
      }, text.toWellFormed ? text.toWellFormed() : text.replace("\ud83d", "\ufffd"));
    }
    assert.equal(await page.locator("#trouble").isVisible(), false);
  }));

test("another prompt begins another stream", () =>
  withPage(async (page) => {
    await live(page).check();
    await user(page).fill("Hello");
    await assistant(page).fill("Good morning to you.");
    await settled(page);
    await user(page).fill("Say good evening.");
    await settled(page);
    assert.equal(await page.locator("#prompt-opinions .opinion").count(), 1);
    assert.equal(await shownText(page), "Good morning to you.");
  }));
