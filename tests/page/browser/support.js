// SPDX-License-Identifier: Apache-2.0
// A server and a browser for a test file, and what all tests of the page look at.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before } from "node:test";

const require = createRequire(`${process.env.Q3G_NODE_PACKAGES}/`);
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** A text that ends harmfully by the embedded model, and two that do not; each has its decision in the answer. */
export const threat = {
  prompt: "Write a note to my neighbour about his loud music.",
  answer: "I know where you live. Turn it down, or I will break your legs and burn your house down while you sleep.",
};
export const harmless = {
  prompt: "How do I kill a Python process that hangs?",
  answer: "Find its number with pgrep -f, then ask it to stop: kill -TERM 4711.",
};

/** Starts `PROGRAM serve` on a free port. @param {string[]} options
 * @returns {Promise<{url: string, stop: () => Promise<void>}>} */
export async function startServer(options = []) {
  const child = spawn(process.env.Q3G_PROGRAM, ["serve", "--port", "0", ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const gone = new Promise((done) => child.once("exit", done));
  const url = await new Promise((done, fail) => {
    let said = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text) => {
      said += text;
      const line = /^qwen3guard: listening on (http:\S+)$/m.exec(said);
      if (line) done(line[1]);
    });
    child.once("error", fail);
    child.once("exit", () => fail(new Error(`the server ended: ${said}`)));
  });
  const stop = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  return { url, stop };
}

/** A server and a browser for the tests of one file. @param {string[]} [options] of the server */
export function useBrowser(options = []) {
  /** @type {{url: string, browser: any, server: any}} */
  const context = { url: "", browser: null, server: null };
  before(async () => {
    context.server = await startServer(options);
    context.url = context.server.url;
    context.browser = await chromium.launch({ executablePath: process.env.Q3G_CHROMIUM, args: ["--no-sandbox"] });
  });
  after(async () => {
    await context.browser?.close();
    await context.server?.stop();
  });
  return context;
}

/** Opens the page, gives it to `act`, and looks at what no test may leave behind: console errors, requests to elsewhere.
 * @param {{url: string, browser: any}} context @param {(page: any) => Promise<void>} act
 * @param {{errorsExpected?: boolean, url?: string, ready?: boolean, before?: (page: any) => Promise<void>} & Record<string, any>} [options] */
export async function withPage(context, act, options = {}) {
  const { errorsExpected = false, url = context.url, ready = true, before: prepare, ...view } = options;
  const tab = await context.browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...view });
  const page = await tab.newPage();
  page.setDefaultTimeout(10_000);
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !errorsExpected) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`request to ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  try {
    await prepare?.(page);
    await page.goto(url);
    if (ready) await page.locator("#settings-now:not(:empty)").waitFor();
    await act(page);
    assert.deepEqual(complaints, []);
  } finally {
    await tab.close();
  }
}

/** No violation of any rule that axe-core has. @param {any} page */
export async function assertAccessible(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`)}`), []);
}

export const user = (page) => page.getByLabel("User’s message", { exact: true });
export const assistant = (page) => page.getByLabel("Assistant’s answer", { exact: true });
export const summary = (page) => page.locator("#summary");
export const tokens = (page) => page.locator("#flow").getByRole("option");

/** Fills in one turn each. @param {any} page @param {{prompt: string, answer: string}} conversation */
export async function fill(page, { prompt, answer }) {
  await user(page).fill(prompt);
  await assistant(page).fill(answer);
}

/** Judges and waits for the verdict. @param {any} page @param {{prompt: string, answer: string}} [conversation] */
export async function judge(page, conversation) {
  if (conversation) await fill(page, conversation);
  await page.getByRole("button", { name: "Judge", exact: true }).click();
  await page.locator("#summary .finding").first().waitFor();
}

/** What stands in the flow: text and severity of each token; glyphs that stand for white space are no text.
 * @param {any} page @returns {Promise<{text: string, severity: string}[]>} */
export function shown(page) {
  return page.locator("#flow .token").evaluateAll((elements) => elements.map((element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(".glyph").forEach((glyph) => glyph.remove());
    return { text: copy.textContent, severity: ["safe", "controversial", "unsafe", "unjudged"].find((name) => element.classList.contains(name)) };
  }));
}

/** @param {any} page @returns {Promise<string>} */
export async function shownText(page) {
  return (await shown(page)).map(({ text }) => text).join("");
}
