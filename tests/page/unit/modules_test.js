// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../../src/server/page/", import.meta.url);
const source = (name) => readFileSync(new URL(name, folder), "utf8");
const importsOf = (name) => Array.from(source(name).matchAll(/^import\s[^;]*?from "(.+?)";$/gm), ([, from]) => from);

test("the page's modules are beside each other, lead one way, and all of them are used", () => {
  const done = new Set();
  /** @param {string} name @param {string[]} path that led here */
  const visit = (name, path) => {
    assert.ok(!path.includes(name), `imports go round: ${[...path, name].join(" > ")}`);
    if (done.has(name)) return;
    for (const from of importsOf(name)) {
      assert.match(from, /^\.\/\w+\.js$/);
      visit(from.slice(2), [...path, name]);
    }
    done.add(name);
  };
  visit("page.js", []);
  assert.deepEqual([...done].sort(), readdirSync(folder).filter((name) => name.endsWith(".js")).sort());
  assert.ok(done.size > 1);
});
