// SPDX-License-Identifier: Apache-2.0
// The server and the browser of the tests, and what all of them look at.

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

const wide = { width: 1280, height: 900 };

/** One server and one browser for all tests, and one tab for those that do not ask for another view. */
const shared = { url: "", server: null, browser: null, tab: null };

before(async () => {
  [shared.server, shared.browser] = await Promise.all([
    startServer(), chromium.launch({ executablePath: process.env.Q3G_CHROMIUM, args: ["--no-sandbox"] }),
  ]);
  shared.url = shared.server.url;
});
after(async () => {
  await shared.browser?.close();
  await shared.server?.stop();
});

/** @param {Record<string, any>} [view] of a context, such as hasTouch */
async function newTab(view = {}) {
  const context = await shared.browser.newContext({ viewport: wide, reducedMotion: "reduce", ...view });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  return page;
}

/** The shared tab, as if it were new but for its process, which takes longest to start. */
async function freshTab() {
  const tab = shared.tab ??= await newTab();
  await Promise.all([
    tab.unrouteAll({ behavior: "ignoreErrors" }),
    tab.setViewportSize(wide),
    tab.emulateMedia({ colorScheme: "light", forcedColors: "none" }),
    tab.mouse.move(0, 0),
  ]);
  return tab;
}

/** Opens the page, gives it to `act`, and looks at what no test may leave behind: console errors, requests to elsewhere.
 * @param {(page: any) => Promise<void>} act
 * @param {{errorsExpected?: boolean, url?: string, ready?: boolean, view?: Record<string, any>}} [options] view: in a tab of its own */
export async function withPage(act, { errorsExpected = false, url = shared.url, ready = true, view } = {}) {
  const page = view ? await newTab(view) : await freshTab();
  /** @type {string[]} */
  const complaints = [];
  const listeners = {
    pageerror: (error) => complaints.push(String(error)),
    console: (message) => {
      if (message.type() === "error" && !errorsExpected) complaints.push(message.text());
    },
    request: (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`request to ${request.url()}`);
    },
    dialog: (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    },
  };
  let passed = false;
  try {
    // The last that a page of another server still asks for is no request of this one.
    if (new URL(page.url()).origin !== new URL(url).origin) await page.goto("about:blank");
    for (const [event, listener] of Object.entries(listeners)) page.on(event, listener);
    await page.goto(url);
    if (ready) await page.locator("#settings-now:not(:empty)").waitFor();
    await act(page);
    assert.deepEqual(complaints, []);
    passed = true;
  } finally {
    for (const [event, listener] of Object.entries(listeners)) page.off(event, listener);
    // A tab in which a test failed may be in any state.
    if (view || !passed) await page.context().close();
    if (!view && !passed) shared.tab = null;
  }
}

/** No violation of any rule that axe-core has, in a light scheme and in a dark one, of which only the colours differ.
 * @param {any} page */
export async function assertAccessible(page) {
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axeSource);
  const all = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  for (const [colorScheme, runOnly] of [["dark", ["color-contrast", "link-in-text-block"]], ["light", all]]) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate((runOnly) => window.axe.run(document, { runOnly, resultTypes: ["violations"] }), runOnly);
    assert.deepEqual(violations.map(({ id, nodes }) => `${colorScheme}, ${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`)}`), []);
  }
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

/** What stands in the flow: text and severity of each token, with the space before it; glyphs that stand for white space are
 * no text. @param {any} page @returns {Promise<{text: string, severity: string}[]>} */
export function shown(page) {
  return page.locator("#flow .token").evaluateAll((elements) => elements.map((element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(".glyph").forEach((glyph) => glyph.remove());
    const gap = element.previousElementSibling?.matches(".gap") ? element.previousElementSibling.textContent : "";
    return { text: gap + copy.textContent, severity: ["safe", "controversial", "unsafe", "unjudged"].find((name) => element.classList.contains(name)) };
  }));
}

/** @param {any} page @returns {Promise<string>} */
export async function shownText(page) {
  return (await shown(page)).map(({ text }) => text).join("");
}
