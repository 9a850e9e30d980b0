// A fault turns the verdict red within 10 s, with the sentence that names it, and its
// evidence can be opened.

import assert from "node:assert/strict";
import readline from "node:readline";

import { clean, look, play, until } from "./stage.mjs";

const TOLD_WITHIN_MS = 10_000;

await play(async (browser) => {
  const stage = await look(browser);
  const { page } = stage;
  assert.notEqual(await page.locator("#verdict").getAttribute("data-level"), "bad");
  console.log("ready");
  await said("done");
  await page.locator("#verdict[data-level=bad]").waitFor({ timeout: TOLD_WITHIN_MS });
  const sentence = await page.locator("#verdict .sentence").textContent();
  assert.match(sentence, new RegExp(process.env.PAGE_SENTENCE ?? "."));
  assert.match(await page.title(), /^Bad/);
  await page.locator("#verdict > .body > details > summary").click();
  await until(page, "evidence is shown", () => document.querySelectorAll("#verdict .finding li code").length > 0);
  clean(stage);
});

async function said(wanted) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === wanted) return;
  }
  assert.fail("the test has gone");
}
