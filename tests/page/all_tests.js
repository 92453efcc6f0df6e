// SPDX-License-Identifier: Apache-2.0
// Runs every test of the page in one process, for they share one server and one browser.

import { readdirSync } from "node:fs";

for (const folder of ["unit", "browser"]) {
  const files = readdirSync(new URL(folder, import.meta.url)).filter((name) => name.endsWith("_test.js")).sort();
  for (const file of files) await import(`./${folder}/${file}`);
}
