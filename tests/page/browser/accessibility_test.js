// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";

import { assertAccessible, fill, harmless, judge, summary, threat, tokens, user, withPage } from "./support.js";

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true };

test("axe-core finds nothing: empty, with a verdict, with details, on a phone", () =>
  withPage(async (page) => {
    await assertAccessible(page);
    for (const summary of await page.locator("summary").all()) await summary.click();
    await judge(page, threat);
    await assertAccessible(page);
    await page.locator(".token.decides").focus();
    await assertAccessible(page);
    await page.setViewportSize(phone.viewport);
    await assertAccessible(page);
  }));

test("axe-core finds nothing: with an error and a key to enter", () =>
  withPage(async (page) => {
    await page.route("**/v1/chat/completions", (route) => route.fulfill({ status: 401, json: { error: { message: "no key" } } }));
    await fill(page, harmless);
    await page.getByRole("button", { name: "Judge", exact: true }).click();
    await page.getByLabel("Key for this server").waitFor();
    await assertAccessible(page);
  }, { errorsExpected: true }));

test("nothing is wider than a phone, and the details of a token stay on its screen", () =>
  withPage(async (page) => {
    await judge(page, { prompt: threat.prompt, answer: `${threat.answer} ${"x".repeat(300)}` });
    for (const summary of await page.locator("summary").all()) await summary.click();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.locator(".token.decides").tap();
    const box = await page.getByRole("tooltip").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y >= 0 && box.y + box.height <= 740, JSON.stringify(box));
    const token = await page.locator(".token.decides").boundingBox();
    assert.ok(token.y + token.height <= box.y || token.y >= box.y + box.height, "the details hide the token");
  }, { view: phone }));

/** What has the focus, by its name. @param {any} page @returns {Promise<string>} */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent.trim() ?? element.textContent.trim();
});

/** Tabs until something named so has the focus. @param {any} page @param {string|RegExp} name */
async function tabTo(page, name) {
  for (let i = 0; i < 40; ++i) {
    await page.keyboard.press("Tab");
    if ((await focused(page)).match(name)) return;
  }
  assert.fail(`no Tab leads to ${name}`);
}

test("all of it by the keyboard alone", () =>
  withPage(async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Skip to the conversation");
    assert.equal(await page.locator(".skip:focus").evaluate((link) => link.getBoundingClientRect().width > 100), true);
    await page.keyboard.press("Enter");
    await tabTo(page, /^User’s message$/);
    await page.keyboard.insertText(threat.prompt);
    await tabTo(page, /^Remove this turn: Assistant’s answer$/);
    await tabTo(page, /^Assistant’s answer$/);
    await page.keyboard.insertText(threat.answer);
    await tabTo(page, /^Paste a whole conversation$/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^Split into turns$/);
    await tabTo(page, /^Models and policy/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^Token by token$/);
    await tabTo(page, /^Judge$/);
    await page.keyboard.press("Enter");
    await page.locator("#summary .finding").nth(1).waitFor();
    assert.equal(await focused(page), "Judge", "the focus stays where it was");

    await tabTo(page, /^I: Safe/);
    assert.equal(await page.getByRole("tooltip").isVisible(), true);
    await page.keyboard.press("ArrowRight");
    assert.match(await focused(page), /^know: /);
    await page.keyboard.press("ArrowDown");
    const below = await focused(page);
    assert.doesNotMatch(below, /^know: /);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("End");
    const last = await focused(page);
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(page), last);
    await page.keyboard.press("Home");
    assert.match(await focused(page), /^I: Safe/);
    await page.keyboard.press("Escape");
    assert.equal(await page.getByRole("tooltip").isVisible(), false);
    await tabTo(page, /^Go to the token that decided$/);
    await page.keyboard.press("Enter");
    assert.match(await focused(page), /the decision fell here/);
    assert.equal(await tokens(page).evaluateAll((list) => list.filter((token) => token.tabIndex === 0).length), 1);
  }));

test("what has the focus shows it, in both schemes and in forced colours", () =>
  withPage(async (page) => {
    await judge(page, harmless);
    for (const view of [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }]) {
      await page.emulateMedia(view);
      await page.locator("#verdict-title").evaluate(() => window.scrollTo(0, 0));
      await user(page).focus();
      for (let i = 0; i < 14; ++i) {
        await page.keyboard.press("Tab");
        const [outline, name] = await page.evaluate(() => {
          const element = document.activeElement;
          const style = getComputedStyle(element);
          return [element === document.body ? "2px solid" : `${style.outlineWidth} ${style.outlineStyle}`, element.outerHTML];
        });
        assert.match(outline, /^2px solid/, name);
      }
    }
  }));

test("the verdict is in a polite live region, errors are in an alert; removing a turn keeps the focus in the conversation", () =>
  withPage(async (page) => {
    assert.equal(await summary(page).getAttribute("role"), "status");
    assert.equal(await page.locator("#alert").getAttribute("role"), "alert");
    await page.getByRole("button", { name: "Remove this turn: Assistant’s answer" }).click();
    assert.equal(await focused(page), "User’s message");
    await page.getByRole("button", { name: "Remove this turn: User’s message" }).click();
    assert.equal(await focused(page), "Add a turn");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "User’s message");
  }));

test("pictures of the page", { skip: !process.env.Q3G_SCREENSHOTS }, async () => {
  mkdirSync("build/page_screenshots", { recursive: true });
  for (const [name, view] of [
    ["wide_light", { colorScheme: "light" }], ["wide_dark", { colorScheme: "dark" }], ["phone", { ...phone, colorScheme: "light" }],
  ]) {
    await withPage(async (page) => {
      await judge(page, threat);
      await page.locator("#answer-opinions .opinion").nth(1).waitFor();
      await page.locator(".token.decides").focus();
      await page.screenshot({ path: `build/page_screenshots/${name}.png`, fullPage: name !== "phone" });
    }, { view });
  }
});
