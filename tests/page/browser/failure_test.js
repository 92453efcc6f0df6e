// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { assistant, fill, harmless, judge, shown, startServer, summary, tokens, withPage } from "./support.js";

const alert = (page) => page.getByRole("alert");
const press = (page) => page.getByRole("button", { name: "Judge", exact: true }).click();

/** Nothing but the legend may say Safe. @param {any} page */
async function assertNothingSafe(page) {
  assert.equal(await page.locator("#verdict .chip.safe, #flow .token.safe").count(), 0);
  assert.doesNotMatch(await summary(page).innerText(), /\bis Safe\b/);
}

test("the server is gone: an alert, and nothing is marked Safe", async () => {
  const server = await startServer();
  await withPage(async (page) => {
    await judge(page, harmless);
    await server.stop();
    await press(page);
    await alert(page).getByText("The server cannot be reached.").waitFor();
    await assertNothingSafe(page);
    assert.ok((await shown(page)).every(({ severity }) => severity === "unjudged"));
    assert.match(await summary(page).innerText(), /^Not judged/);
  }, { url: server.url, errorsExpected: true });
});

test("the connection breaks within an answer: what was judged stands, the rest is not judged, and so is the answer", () =>
  withPage(async (page) => {
    let pushes = 0;
    await page.route("**/v1/stream/*", (route) => (route.request().method() === "POST" && ++pushes > 2 ? route.abort() : route.continue()));
    await fill(page, harmless);
    await press(page);
    await alert(page).getByText("The server cannot be reached.").waitFor();
    const severities = (await shown(page)).map(({ severity }) => severity);
    assert.equal(severities[0], "safe");
    assert.equal(severities.at(-1), "unjudged");
    assert.match(await page.locator("#answer-opinions").innerText(), /The rest was not judged/);
    assert.equal(await page.locator("#answer-opinions .chip.safe").count(), 0);
    assert.match(await summary(page).innerText(), /The rest was not judged\./);
    assert.doesNotMatch(await summary(page).innerText(), /answer is Safe/);
  }, { errorsExpected: true }));

test("the connection breaks while an answer is typed: what was changed since is not judged", () =>
  withPage(async (page) => {
    await page.getByLabel("Judge the answer while I type").check();
    await fill(page, { prompt: "Hello", answer: "Good morning" });
    await page.locator("#answer-opinions .chip.safe").waitFor();
    await page.route("**/v1/stream**", (route) => route.abort());
    await assistant(page).fill("Good evening to you");
    await alert(page).getByText("The server cannot be reached.").waitFor();
    const last = (await shown(page)).at(-1);
    assert.equal(last.severity, "unjudged");
    assert.match(last.text, /vening to you$/);
    assert.equal(await page.locator("#answer-opinions .chip.safe").count(), 0);
    await assistant(page).fill("Good evening to you two");
    await page.waitForFunction(() => document.getElementById("flow").textContent.endsWith("two"));
    assert.ok((await shown(page)).every(({ severity }) => severity === "unjudged"));
    assert.equal(await page.locator("#answer-opinions .opinion").count(), 1);
    await page.unroute("**/v1/stream**");
    await assistant(page).fill("Good evening to you all");
    await page.locator("#answer-opinions .chip.safe").waitFor();
    await page.locator("#trouble").waitFor({ state: "hidden" });
  }, { errorsExpected: true }));

test("what the server refuses is said in plain words, with its own and the request's id, and a reply that is not JSON is an error, too", () =>
  withPage(async (page) => {
    let reply;
    await page.route("**/v1/chat/completions", (route) => route.fulfill(reply));
    await fill(page, harmless);
    for (const [status, title, headers] of [
      [413, /too long for this server/, {}],
      [429, /Too many requests\.[\s\S]*Try again in 7 s\./, { "retry-after": "7" }],
      [500, /The server failed/, {}],
      [503, /The server is busy/, {}],
    ]) {
      reply = {
        status, headers: { "x-request-id": `req-${status}`, ...headers },
        json: { error: { message: "<b>the server's words</b>", type: "x", param: null, code: null } },
      };
      await press(page);
      await alert(page).getByText(`Request req-${status}.`).waitFor();
      assert.match(await alert(page).innerText(), title);
      assert.match(await alert(page).innerText(), /<b>the server's words<\/b>/);
      await assertNothingSafe(page);
      assert.ok((await tokens(page).count()) > 0);
    }
    reply = { status: 200, body: "<html>" };
    await press(page);
    await alert(page).getByText("The reply is not JSON.").waitFor();
    await assertNothingSafe(page);
  }, { errorsExpected: true }));

/** A token as the server sends it. @param {number} index @param {[number, number]} bytes @param {string|null} severity */
const token = (index, [begin, end], severity) => ({
  index, id: index, text: "", byte_begin: begin, byte_end: end, severity, probabilities: null, category: severity === "Unsafe" ? "Violent" : null,
  action: "none", source: severity ? "heads" : "none", counts: true, settled: true,
});

test("a character of which a token was not judged is not Safe, and one with an Unsafe token is Unsafe", () =>
  withPage(async (page) => {
    const ruling = { action: "none", rule: "not_judged", category: null, score: 0, policy: "default", version: "1" };
    await page.route("**/v1/stream/*", (route) => (route.request().method() !== "POST" ? route.continue() : route.fulfill({ json: {
      id: "strm-x", role: "assistant", turn: 1, first: 0, n_settled: 5, ended: true,
      tokens: [token(1, [0, 2], "Safe"), token(2, [2, 4], null), token(3, [4, 5], "Unsafe"), token(4, [5, 6], "Safe"), token(5, [6, 7], null)],
      decision: { severity: null, complete: false, unjudged: [2, 9], action: "none", ruling, reason: "none", settled: true, token: null },
    } })));
    await judge(page, { prompt: "Hello", answer: "😀éxyz" });
    await page.locator("#answer-opinions .opinion").nth(1).waitFor();
    assert.deepEqual(await shown(page), [
      { text: "😀", severity: "unjudged" }, { text: "é", severity: "unsafe" }, { text: "x", severity: "unjudged" }, { text: "yz", severity: "unjudged" },
    ]);
    assert.match(await summary(page).innerText(), /The answer is not judged\./);
    const opinion = await page.locator("#answer-opinions .opinion").first().innerText();
    assert.match(opinion, /Not judged[\s\S]*Bytes 2 to 9 were not judged\./);
    await tokens(page).last().focus();
    assert.match(await page.getByRole("tooltip").innerText(), /It does not mean Safe\./);
  }));

test("a stream that has expired while nobody typed is begun anew", () =>
  withPage(async (page) => {
    await page.getByLabel("Judge the answer while I type").check();
    await fill(page, { prompt: "Hello", answer: "Good morning" });
    await page.locator("#answer-opinions .chip.safe").waitFor();
    let once = true;
    await page.route("**/v1/stream/*", (route) => {
      if (!once) return route.continue();
      once = false;
      return route.fulfill({ status: 404, json: { error: { message: "no such stream" } } });
    });
    await assistant(page).fill("Good morning to you");
    await page.waitForFunction(() => document.getElementById("flow").textContent === "Good morning to you");
    assert.equal(await page.locator("#trouble").isVisible(), false);
  }, { errorsExpected: true }));

test("Stop ends a run, and what was not reached is not judged", () =>
  withPage(async (page) => {
    await page.route("**/v1/stream/*", async (route) => {
      await new Promise((done) => setTimeout(done, 300));
      await route.continue().catch(() => {});
    });
    await fill(page, harmless);
    await press(page);
    await page.locator("#flow .token.safe").first().waitFor();
    assert.equal(await page.locator("#answer-opinions .chip").innerText(), "Nothing found so far");
    assert.equal(await page.locator("#answer-opinions .chip.safe").count(), 0, "an answer that is still on its way is not Safe");
    await page.getByRole("button", { name: "Stop" }).click();
    assert.match(await summary(page).innerText(), /^Stopped\./);
    assert.equal((await shown(page)).at(-1).severity, "unjudged");
    assert.equal(await page.locator("#answer-opinions .chip.safe").count(), 0);
  }, { errorsExpected: true }));

test("a server with keys: the page asks for one, keeps it in memory only, and goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "q3g-page-"));
  const keys = join(folder, "keys");
  writeFileSync(keys, "page a-key-of-the-tests-0123456789\n", { mode: 0o600 });
  const server = await startServer(["--keys", keys]);
  try {
    await withPage(async (page) => {
      await alert(page).getByText("The server wants a key.").waitFor();
      const field = page.getByLabel("Key for this server");
      assert.equal(await field.evaluate((element) => element === document.activeElement), true);
      await field.fill("wrong");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.getElementById("key").value === "");
      await alert(page).getByText("The server wants a key.").waitFor();
      await field.fill("a-key-of-the-tests-0123456789");
      await page.keyboard.press("Enter");
      await page.locator("#trouble").waitFor({ state: "hidden" });
      await judge(page, harmless);
      assert.match(await summary(page).innerText(), /The answer is Safe/);
      assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0);
    }, { url: server.url, errorsExpected: true, ready: false });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
});
