// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { harmless, judge, shown, shownText, summary, threat, tokens, user, withPage } from "./support.js";

test("a harmful answer: every token has its colour and its name, and the page says where the decision fell", () =>
  withPage(async (page) => {
    await judge(page, threat);
    assert.equal(await shownText(page), threat.answer);
    const severities = new Set((await shown(page)).map(({ severity }) => severity));
    assert.ok(severities.has("safe") && severities.has("unsafe") && !severities.has("unjudged"), [...severities].join());
    for (const name of await tokens(page).evaluateAll((list) => list.map((token) => token.getAttribute("aria-label")))) {
      assert.match(name, /: (Safe|Controversial|Unsafe)/);
    }
    assert.match(await summary(page).innerText(), /The answer is Unsafe \(Violent\) and blocked, from “.+” on\./);
    assert.equal(await page.locator(".token.decides").count(), 1);
    assert.equal(await page.locator(".mark").innerText(), "blocked here");
    assert.match(await page.locator(".token.decides").getAttribute("aria-label"), /the decision fell here, blocked/);
    await page.getByRole("button", { name: "Go to the token that decided" }).click();
    assert.equal(await page.locator(".token.decides:focus").count(), 1);
    const answer = await page.locator("#answer-opinions .opinion").first().innerText();
    assert.match(answer, /Tokens in a row of one severity decided\. Unsafe text of the category Violent is blocked\.\s+Rule severity, policy default/);
    assert.equal(await page.locator("#flow .token.open").count(), 0, "the end of an answer settles all of it");
  }));

test("harmless words that sound dangerous: Safe by both models, with the rule, the policy and the timing", () =>
  withPage(async (page) => {
    await judge(page, harmless);
    assert.deepEqual((await summary(page).innerText()).trim().split(/\s*\n\s*/),
      ["The prompt is Safe and allowed.", "The answer is Safe and allowed."]);
    const answer = await page.locator("#answer-opinions").innerText();
    assert.match(answer, /Rule safe, policy default, version 1\./);
    assert.match(answer, /\d+ tokens in \d+ pushes: [\d.]+ ms with all round trips, [\d.]+ ms a token\./);
    assert.equal(await page.locator("#prompt-opinions .opinion").count(), 2);
    for (const opinion of await page.locator("#prompt-opinions .opinion").allInnerTexts()) {
      assert.match(opinion, /Safe\s+\d+\.\d %[\s\S]*Rule safe, policy default, version 1\.[\s\S]*for the round trip/);
    }
    assert.equal(await page.locator("#to-decision").isVisible(), false);
  }));

test("hover and focus show probabilities; Escape hides them; the pointer may rest on them", () =>
  withPage(async (page) => {
    await judge(page, threat);
    const tip = page.getByRole("tooltip");
    assert.equal(await tip.isVisible(), false);
    const token = page.locator("#flow .token.unsafe").last();
    await token.hover();
    assert.match(await tip.innerText(), /Unsafe[\s\S]*Safe\s+\d[\d.]* %[\s\S]*Controversial[\s\S]*Category\s+Violent[\s\S]*Source[\s\S]*Settled\s+yes/);
    assert.equal(await token.getAttribute("aria-describedby"), "tip");
    await tip.hover();
    await page.waitForTimeout(300);
    assert.equal(await tip.isVisible(), true);
    await page.mouse.move(2, 2);
    await tip.waitFor({ state: "hidden" });
    assert.equal(await token.getAttribute("aria-describedby"), null);

    await tokens(page).first().focus();
    assert.match(await tip.innerText(), /Safe\s+\d[\d.]* %/);
    await page.keyboard.press("Escape");
    assert.equal(await tip.isVisible(), false);
    await page.keyboard.press("ArrowRight");
    assert.equal(await tip.isVisible(), true);
  }));

test("characters of several tokens, line breaks and right-to-left text are shown whole", () =>
  withPage(async (page) => {
    const answer = "Zeile eins 😀👩‍👩‍👧\n\nשלום עולם\té 末日 𝕏 🇩🇪.";
    await judge(page, { prompt: "Hallo", answer });
    assert.equal(await shownText(page), answer);
    assert.equal((await shown(page)).filter(({ text }) => text.includes("�")).length, 0);
  }));

test("a prompt alone is judged alone, a conversation of several turns by its last answer", () =>
  withPage(async (page) => {
    await judge(page, { prompt: harmless.prompt, answer: "" });
    assert.equal(await page.locator("#answer-card").isVisible(), false);
    assert.match(await summary(page).innerText(), /^The prompt is Safe and allowed\.\s*$/);

    await page.getByRole("button", { name: "A refusal" }).click();
    await page.locator("#summary .finding").nth(1).waitFor();
    assert.match(await summary(page).innerText(), /The prompt is Unsafe \(.+\) and blocked\.\s+The answer is Safe and allowed\./);
    await page.getByRole("button", { name: "Add a turn" }).click();
    await page.keyboard.insertText("Thank you.");
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => /^The prompt is \S+ and \S+\.\s*$/.test(document.getElementById("summary").textContent));
    assert.equal(await user(page).count(), 2);
  }));

test("a verdict that is no longer about the conversation says so", () =>
  withPage(async (page) => {
    await judge(page, harmless);
    const stale = page.getByText("have changed since this verdict");
    assert.equal(await stale.isVisible(), false);
    await user(page).fill("Something else");
    assert.equal(await stale.isVisible(), true);
    await judge(page);
    assert.equal(await stale.isVisible(), false);
    await page.getByRole("button", { name: "Clear" }).click();
    assert.match(await summary(page).innerText(), /Nothing has been judged yet/);
    assert.equal(await stale.isVisible(), false);
  }));

test("before anything is judged: the models and policies of the server, a line of its own for each severity, and no verdict", () =>
  withPage(async (page) => {
    const lines = await page.locator(".legend .token").evaluateAll((list) =>
      list.map((token) => getComputedStyle(token).borderBottomStyle + getComputedStyle(token).borderBottomWidth));
    assert.equal(new Set(lines).size, 4, lines.join());
    await page.getByRole("button", { name: "Judge", exact: true }).click();
    assert.match(await summary(page).innerText(), /Nothing to judge/);
    assert.equal(await page.locator(".card:visible").count(), 0);
    await page.getByText("Models and policy").click();
    assert.deepEqual(await page.getByLabel("Whole messages").locator("option").allInnerTexts(), ["nano-gen", "none"]);
    assert.deepEqual(await page.getByLabel("Token by token").locator("option").allInnerTexts(), ["nano-stream", "none"]);
    assert.match(await page.locator("#policy-words").innerText(), /Policy for moderations[\s\S]*Policy "default", version "1", strict mode\./);
  }));

test("without a Gen model the Stream model says all, and the other way round", () =>
  withPage(async (page) => {
    await page.getByText("Models and policy").click();
    await page.getByLabel("Whole messages").selectOption("");
    await judge(page, harmless);
    assert.match(await summary(page).innerText(), /The prompt is Safe and allowed\.\s+The answer is Safe and allowed\./);
    assert.doesNotMatch(await page.locator("#verdict").innerText(), /nano-gen/);

    await page.getByLabel("Whole messages").selectOption("nano-gen");
    await page.getByLabel("Token by token").selectOption("");
    assert.equal(await page.getByLabel("Judge the answer while I type").isDisabled(), true);
    await judge(page, threat);
    assert.match(await summary(page).innerText(), /The prompt is Safe and allowed\.\s+The answer is Unsafe \(Violent\) and blocked\./);
    assert.equal(await page.locator("#flow").isVisible(), false);

    await page.getByLabel("Whole messages").selectOption("");
    await page.getByRole("button", { name: "Judge", exact: true }).click();
    assert.match(await summary(page).innerText(), /^Not judged: choose a model first/);
  }));
